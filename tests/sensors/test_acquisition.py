"""The data acquisition agent: every row of a batch is stored, known already, or in quarantine."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensors import store
from sensors.acquisition import Receipt, ingest
from sensors.formats import from_json
from sensors.models import (
    IngestKey,
    QuarantinedReading,
    Reading,
    ScoringNote,
    Sensor,
    SensorProfile,
    Site,
)
from sensors.quality import Flag
from sensors.signals import readings_ingested
from smartmaint.lib import breaker
from tests.factories import NOW, make_key, make_sensor, make_site, rows_of

pytestmark = pytest.mark.django_db


def send(
    rows: list[Any], *, site: Site, now: datetime = NOW, key: IngestKey | None = None, **how: Any
) -> Receipt:
    return ingest(
        from_json(json.dumps(rows).encode()), site=site, key=key, source="test", now=now, **how
    )


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def sensor(site: Site) -> Sensor:
    return make_sensor(
        site=site, external_id="pump-1/temp", kind="temperature", unit="°C", physical_max=100.0
    )


def codes(receipt: Receipt) -> list[tuple[int, str, str]]:
    return [(error.index, error.category, error.code) for error in receipt.errors]


# --- once only ------------------------------------------------------------------------------------


def test_a_replayed_batch_adds_nothing(site: Site, sensor: Sensor) -> None:
    rows = [*rows_of(n=5), {"sensor": "pump-1/temp", "time": "later", "value": 1}]
    first, again = send(rows, site=site), send(rows, site=site)
    assert (first.accepted, first.duplicates, first.quarantined) == (5, 0, 1)
    assert (again.accepted, again.duplicates, again.quarantined) == (0, 5, 1)
    assert Reading.objects.count() == SensorProfile.objects.get().count == 5
    assert QuarantinedReading.objects.count() == ScoringNote.objects.count() == 1


def test_another_value_for_a_time_that_is_there_changes_nothing(site: Site, sensor: Sensor) -> None:
    send(rows_of(n=1), site=site)
    [row] = rows_of(n=1)
    assert send([{**row, "value": 99.0}], site=site).duplicates == 1
    assert Reading.objects.get().value == 20.0


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_every_row_is_in_exactly_one_number(site: Site, sensor: Sensor, bad: int) -> None:
    rows = [*rows_of(n=3), *rows_of(n=2), *[{"sensor": "x"}] * bad]
    receipt = send(rows, site=site)
    assert receipt.accepted + receipt.duplicates + receipt.quarantined == len(rows)
    assert len(receipt.errors) == receipt.quarantined == bad


# --- nothing is dropped ---------------------------------------------------------------------------


def test_errors_come_in_the_words_of_the_contract(site: Site, sensor: Sensor) -> None:
    ahead = rows_of(n=1, until=NOW + timedelta(minutes=10, seconds=1))
    poor = rows_of(n=1, quality=0.0)
    receipt = send([*rows_of(n=1), {"value": 1}, *ahead, *poor], site=site)
    assert codes(receipt) == [
        (1, "validation", "missing_field"),
        (2, "validation", "time_in_future"),
        (3, "quality", "quality_too_low"),
    ]
    held = QuarantinedReading.objects.order_by("id").values_list("category", "code", "source")
    assert sorted(held) == sorted((c, code, "test") for _, c, code in codes(receipt))
    assert json.loads(QuarantinedReading.objects.get(code="time_in_future").payload) == ahead[0]


def test_ten_minutes_ahead_is_allowed(site: Site, sensor: Sensor) -> None:
    assert send(rows_of(n=1, until=NOW + timedelta(minutes=10)), site=site).accepted == 1


def test_year_9999_is_in_the_future(site: Site, sensor: Sensor) -> None:
    row = {"sensor": "pump-1/temp", "time": "9999-12-31T23:59:59Z", "value": 1}
    assert codes(send([row], site=site)) == [(0, "validation", "time_in_future")]


def test_the_past_is_unbounded_and_marked(site: Site, sensor: Sensor) -> None:
    row = {"sensor": "pump-1/temp", "time": "1931-01-01T00:00:00Z", "value": 1}
    assert send([row], site=site).accepted == 1
    assert Flag(Reading.objects.get().flags) == Flag.BACKFILL


def test_a_wrong_unit_lowers_the_quality(site: Site, sensor: Sensor) -> None:
    [row] = rows_of(n=1)
    later = {**row, "time": NOW.isoformat().replace("12:00", "11:30")}
    receipt = send([{**row, "unit": "°F"}, {**later, "unit": "°C"}], site=site)
    assert receipt.accepted == 2
    right, wrong = Reading.objects.order_by("time")
    assert (right.quality, right.flags) == (1.0, 0)
    assert wrong.quality < 1.0
    assert Flag(wrong.flags) == Flag.UNIT_MISMATCH


def test_a_sensor_may_ask_for_better_readings(site: Site) -> None:
    make_sensor(site=site, external_id="strict", unit="V", quality_threshold=0.9)
    receipt = send(rows_of("strict", n=1, unit="mV"), site=site)
    assert [error.code for error in receipt.errors] == ["quality_too_low"]
    assert "0.90 is needed" in receipt.errors[0].detail
    assert "its unit is not the sensor's" in receipt.errors[0].detail


def test_a_retired_sensor_accepts_nothing(site: Site) -> None:
    make_sensor(site=site, external_id="gone", status=Sensor.Status.RETIRED)
    receipt = send([*rows_of("gone", n=1), *rows_of(n=1)], site=site)
    assert codes(receipt) == [(0, "enrichment", "sensor_retired")]
    assert receipt.accepted == 1


# --- what is remembered ---------------------------------------------------------------------------


def test_a_note_spans_what_was_accepted_and_nothing_else(site: Site, sensor: Sensor) -> None:
    send(rows_of(n=3), site=site)
    ScoringNote.objects.all().delete()
    older = rows_of(n=5)
    send([*older, {**older[0], "time": "9999-01-01T00:00:00Z"}], site=site)
    note = ScoringNote.objects.get()
    assert (note.sensor, note.reason, note.held) == (sensor, "ingest", False)
    assert note.since == NOW - timedelta(minutes=4)
    assert note.until == NOW - timedelta(minutes=3)


def test_nothing_accepted_leaves_no_note_and_no_profile(site: Site, sensor: Sensor) -> None:
    send([{"sensor": "pump-1/temp", "time": "9999-01-01T00:00:00Z", "value": 1}], site=site)
    assert not ScoringNote.objects.exists()
    assert not SensorProfile.objects.exists()


def test_the_wake_up_call_comes_after_the_commit(
    site: Site, sensor: Sensor, django_capture_on_commit_callbacks: Any
) -> None:
    calls: list[int] = []

    def listen(**_: object) -> None:
        calls.append(1)
        raise ConnectionError("no queue")

    readings_ingested.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            assert send(rows_of(), site=site).accepted == 3
            assert calls == []
        assert calls == [1]
    finally:
        readings_ingested.disconnect(listen)


batches = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.floats(-1e100, 1e100)), max_size=6), max_size=4
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches)
def test_a_profile_is_that_of_the_stored_readings(batches: list[list[tuple[int, float]]]) -> None:
    site = make_site()
    for batch in batches:
        rows = [
            {"sensor": "s", "time": (NOW - timedelta(minutes=m)).isoformat(), "value": value}
            for m, value in batch
        ]
        send(rows, site=site)
    stored = list(Reading.objects.filter(sensor__site=site).order_by("time"))
    profile = SensorProfile.objects.filter(sensor__site=site).first()
    if not stored:
        assert profile is None
        return
    assert profile is not None
    values = np.array([reading.value for reading in stored])
    scale = max(1.0, float(np.abs(values).max()))
    assert profile.count == len(values)
    assert (profile.minimum, profile.maximum) == (values.min(), values.max())
    assert abs(profile.mean - values.mean()) <= 1e-9 * scale
    assert abs(profile.m2 - ((values - values.mean()) ** 2).sum()) <= 1e-9 * scale**2
    assert (profile.first_time, profile.last_time) == (stored[0].time, stored[-1].time)
    assert profile.last_value == stored[-1].value


@pytest.mark.parametrize("value", [5e-324, 1e-200, 1e100, -1e100])
def test_the_profile_stands_the_smallest_and_the_largest_values(
    site: Site, sensor: Sensor, value: float
) -> None:
    Sensor.objects.update(physical_max=None)
    for minutes, one in enumerate([value, -value, 0.0, value / 3]):
        row = {"sensor": "pump-1/temp", "time": (NOW - timedelta(minutes=minutes)).isoformat()}
        assert send([{**row, "value": one}], site=site).accepted == 1
    profile = SensorProfile.objects.get()
    assert profile.count == 4
    assert np.isfinite([profile.mean, profile.m2]).all()


def test_the_interval_is_observed_across_batches(site: Site, sensor: Sensor) -> None:
    for minutes in (3, 2, 1, 0):
        send(rows_of(n=1, until=NOW - timedelta(minutes=minutes)), site=site)
    assert SensorProfile.objects.get().interval_s == pytest.approx(60.0)


# --- cost and failure -----------------------------------------------------------------------------


def statements(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]


def test_a_few_readings_of_known_sensors_take_two_statements(site: Site, sensor: Sensor) -> None:
    with CaptureQueriesContext(connection) as queries:
        send(rows_of(n=store.FEW), site=site)
    lookup, everything = statements(queries)
    assert "sensors_sensor" in lookup
    for table in ("reading", "sensorprofile", "scoringnote", "rollupnote"):
        assert f"INSERT INTO sensors_{table}" in everything


def test_a_batch_of_known_sensors_takes_three_statements(site: Site) -> None:
    rows = []
    for number in range(20):
        make_sensor(site=site, external_id=f"s{number}")
        rows += rows_of(f"s{number}", n=10)
    with CaptureQueriesContext(connection) as queries:
        send(rows, site=site)
    lookup, copy, remember = statements(queries)
    assert "sensors_sensor" in lookup
    assert copy.startswith("COPY sensors_reading")
    for table in ("sensorprofile", "scoringnote", "rollupnote"):
        assert f"INSERT INTO sensors_{table}" in remember


def test_bad_rows_cost_one_more_statement_however_many(site: Site, sensor: Sensor) -> None:
    with CaptureQueriesContext(connection) as queries:
        send([*rows_of(n=2), *[{"sensor": f"x{n}"} for n in range(50)]], site=site)
    assert len(statements(queries)) == 3
    assert QuarantinedReading.objects.count() == 50


def test_an_empty_batch_asks_nothing(site: Site) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert send([], site=site) == Receipt()
    assert statements(queries) == []


def test_the_breaker_opens_on_a_store_that_is_away_and_only_then(
    site: Site, sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        send([{"sensor": "bad"}], site=site)
    assert store.breaker.state == breaker.State.CLOSED

    def away(*_: object) -> None:
        raise OperationalError("the server is away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "run_unless_there", away)
        for _ in range(5):
            with pytest.raises(OperationalError):
                send(rows_of(), site=site)
    with pytest.raises(breaker.Open):
        send(rows_of(), site=site)


def test_sites_with_the_same_names_keep_their_own_readings(site: Site) -> None:
    other = make_site()
    send(rows_of(n=2), site=site)
    send(rows_of(n=3), site=other)
    assert SensorProfile.objects.get(sensor__site=site).count == 2
    assert SensorProfile.objects.get(sensor__site=other).count == 3


def test_a_key_is_remembered_with_what_it_sent(site: Site) -> None:
    key, _ = make_key(site=site)
    send([*rows_of(n=1), {"sensor": "bad"}], site=site, key=key)
    assert Sensor.objects.get().discovered_by == key
    assert QuarantinedReading.objects.get().key == key

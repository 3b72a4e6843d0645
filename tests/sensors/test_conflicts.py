"""A second value for a (sensor, time): settled as the setting says, written down, never silent."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from sensors import conflicts, quarantine, rollups, store
from sensors.acquisition import Receipt, ingest
from sensors.formats import from_json
from sensors.models import (
    QuarantinedReading,
    Reading,
    ReadingConflict,
    RollupNote,
    ScoringNote,
    Sensor,
    SensorProfile,
    Site,
)
from tests.factories import NOW, make_key, make_person, make_sensor, make_site
from tests.sensors.rolled import agree, expected_hours, stored_hours

pytestmark = pytest.mark.django_db
HOWS = ("keep_first", "keep_last", "quarantine")


@pytest.fixture
def sensor() -> Sensor:
    return make_sensor(site=make_site(), external_id="s")


def rows(*values: float, minutes: int = 0, sensor: str = "s", **fields: Any) -> list[Any]:
    """All at one time."""
    time = (NOW - timedelta(minutes=minutes)).isoformat()
    return [{"sensor": sensor, "time": time, "value": value, **fields} for value in values]


def many(n: int, change: float = 0.0) -> list[Any]:
    return [row for m in range(n) for row in rows(m + change, minutes=m)]


def send(site: Site, rows: list[Any], *, now: datetime = NOW, **how: Any) -> Receipt:
    return ingest(from_json(json.dumps(rows).encode()), site=site, source="test", now=now, **how)


def numbers(receipt: Receipt) -> tuple[int, int, int, int]:
    return receipt.accepted, receipt.duplicates, receipt.quarantined, receipt.conflicts


def recorded() -> list[tuple[float, float, str]]:
    found = ReadingConflict.objects.order_by("id")
    return list(found.values_list("kept", "other", "resolution"))


def values() -> list[float]:
    return list(Reading.objects.order_by("time").values_list("value", flat=True))


# --- what each setting does -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "answer", "stands", "record"),
    [
        ("keep_first", (0, 1, 0, 1), 1.0, (1.0, 2.0, "keep_first")),
        ("keep_last", (1, 0, 0, 1), 2.0, (2.0, 1.0, "keep_last")),
        ("quarantine", (0, 0, 1, 1), 1.0, (1.0, 2.0, "quarantine")),
    ],
)
def test_a_second_value_is_settled_as_the_setting_says(
    sensor: Sensor, settings: Any, how: str, answer: Any, stands: float, record: Any
) -> None:
    settings.READING_CONFLICTS = how
    send(sensor.site, rows(1.0))
    assert numbers(send(sensor.site, rows(2.0))) == answer
    assert values() == [stands]
    assert recorded() == [record]


@pytest.mark.parametrize(
    ("how", "answer", "stands"),
    [
        ("keep_first", (1, 3, 0, 2), 1.0),
        ("keep_last", (1, 3, 0, 1), 3.0),
        ("quarantine", (1, 1, 2, 2), 1.0),
    ],
)
def test_values_of_one_batch_contradict_each_other(
    sensor: Sensor, settings: Any, how: str, answer: Any, stands: float
) -> None:
    settings.READING_CONFLICTS = how
    sent = rows(1.0, 3.0, 1.0, 3.0) if how != "keep_last" else rows(3.0, 1.0, 3.0, 3.0)
    assert numbers(send(sensor.site, sent)) == answer
    assert values() == [stands]
    assert len(recorded()) == 1


@pytest.mark.parametrize("n", [3, store.FEW + 10])
@pytest.mark.parametrize("how", HOWS)
def test_a_batch_of_new_equal_and_other_readings(
    sensor: Sensor, settings: Any, how: str, n: int
) -> None:
    settings.READING_CONFLICTS = how
    send(sensor.site, many(n))
    other = rows(-5.0, minutes=1)
    receipt = send(sensor.site, [*rows(9.0, minutes=n), *rows(0.0), *other])
    assert receipt.accepted + receipt.duplicates + receipt.quarantined == 3
    assert (receipt.accepted, receipt.conflicts) == (2 if how == "keep_last" else 1, 1)
    [conflict] = ReadingConflict.objects.all()
    assert {conflict.kept, conflict.other} == {1.0, -5.0}
    assert conflict.time == NOW - timedelta(minutes=1)


def test_what_two_of_a_batch_contradict_is_stored(sensor: Sensor) -> None:
    send(sensor.site, rows(4.0))
    assert numbers(send(sensor.site, rows(5.0, 4.0, 6.0))) == (0, 3, 0, 2)
    assert recorded() == [(4.0, 5.0, "keep_first"), (4.0, 6.0, "keep_first")]


def test_equal_is_the_value_and_nothing_else(sensor: Sensor) -> None:
    send(sensor.site, rows(0.0))
    again = rows(-0.0, quality=0.9, unit="other", kind="pressure")
    late = NOW + timedelta(days=3)
    assert numbers(send(sensor.site, again, now=late)) == (0, 1, 0, 0)
    assert numbers(send(sensor.site, rows(5e-324), now=late)) == (0, 1, 0, 1)


@pytest.mark.parametrize("how", HOWS)
def test_the_answer_names_conflicts_only_where_there_are_any(
    sensor: Sensor, settings: Any, how: str
) -> None:
    settings.READING_CONFLICTS = how
    plain = {"accepted": 1, "duplicates": 0, "quarantined": 0, "errors": []}
    assert send(sensor.site, rows(1.0)).as_json() == plain
    assert send(sensor.site, rows(2.0)).as_json()["conflicts"] == 1


def test_a_quarantined_one_says_why_and_is_accepted_when_the_last_is_kept(
    sensor: Sensor, settings: Any
) -> None:
    settings.READING_CONFLICTS = "quarantine"
    send(sensor.site, rows(1.0))
    [problem] = send(sensor.site, [*rows(1.0), *rows(2.5)]).errors
    assert (problem.index, problem.category, problem.code) == (1, "quality", "conflicting_value")
    assert problem.detail == "for this time 1 is stored; this is 2.5"
    assert quarantine.replay(QuarantinedReading.objects.all(), now=NOW).quarantined == 1
    settings.READING_CONFLICTS = "keep_last"
    assert quarantine.replay(QuarantinedReading.objects.all(), now=NOW).accepted == 1
    assert values() == [2.5]
    assert not QuarantinedReading.objects.waiting().exists()


# --- what a replacement leaves behind -------------------------------------------------------------


def test_a_replacement_is_noted_for_scoring_and_rolled_up_again(
    sensor: Sensor, settings: Any
) -> None:
    settings.READING_CONFLICTS = "keep_last"
    send(sensor.site, many(200))
    rollups.roll_up()
    ScoringNote.objects.all().delete()
    send(sensor.site, rows(500.0, minutes=90))
    note = ScoringNote.objects.get()
    assert (note.since, note.until) == (NOW - timedelta(minutes=90),) * 2
    rollups.roll_up()
    found, expected = stored_hours(sensor), expected_hours(sensor)
    assert found.keys() == expected.keys()
    assert all(agree(found[hour], expected[hour]) for hour in expected)


@pytest.mark.parametrize("how", ["keep_first", "quarantine"])
def test_what_changes_nothing_leaves_no_note(sensor: Sensor, settings: Any, how: str) -> None:
    settings.READING_CONFLICTS = how
    send(sensor.site, rows(1.0))
    before = SensorProfile.objects.values().get()
    send(sensor.site, rows(2.0))
    assert (ScoringNote.objects.count(), RollupNote.objects.count()) == (1, 1)
    assert SensorProfile.objects.values().get() == before


sent = st.lists(
    st.lists(st.tuples(st.integers(0, 6), st.floats(-1e100, 1e100)), min_size=1, max_size=6),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent)
def test_the_last_of_all_that_was_sent_stands_and_the_profile_is_that_of_what_stands(
    batches: list[list[tuple[int, float]]],
) -> None:
    site = make_site()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.READING_CONFLICTS", "keep_last", raising=False)
        for batch in batches:
            send(site, [row for minutes, value in batch for row in rows(value, minutes=minutes)])
    last = {minutes: value for batch in batches for minutes, value in batch}
    stored = Reading.objects.filter(sensor__site=site).order_by("time")
    assert [reading.value for reading in stored] == [last[m] for m in sorted(last, reverse=True)]
    profile = SensorProfile.objects.get(sensor__site=site)
    every = np.array(list(last.values()))
    scale = max(1.0, float(np.abs(every).max()))
    assert (profile.count, profile.last_value) == (len(every), last[min(last)])
    assert (profile.minimum, profile.maximum) == (every.min(), every.max())
    seen = max(scale, *(abs(value) for batch in batches for _, value in batch))
    # What was replaced may have been larger by far than what stands: sums keep its rounding.
    assert abs(profile.mean - every.mean()) <= 1e-9 * seen
    assert abs(profile.m2 - ((every - every.mean()) ** 2).sum()) <= 1e-9 * seen**2


def test_a_corrected_spike_leaves_range_mean_and_variance_as_if_it_never_came(
    sensor: Sensor, settings: Any
) -> None:
    settings.READING_CONFLICTS = "keep_last"
    send(sensor.site, [*many(100), *rows(1e90, minutes=200)])
    send(sensor.site, rows(50.0, minutes=200))
    profile, stood = SensorProfile.objects.get(), np.array(values())
    assert (profile.minimum, profile.maximum) == (0.0, 99.0)
    assert profile.mean == pytest.approx(stood.mean())
    assert profile.variance == pytest.approx(stood.var(ddof=1))


def test_the_latest_value_follows_its_replacement_and_no_older_one(
    sensor: Sensor, settings: Any
) -> None:
    settings.READING_CONFLICTS = "keep_last"
    send(sensor.site, many(5))
    send(sensor.site, rows(70.0, minutes=3))
    assert SensorProfile.objects.get().last_value == 0.0
    send(sensor.site, rows(80.0))
    profile = SensorProfile.objects.get()
    assert (profile.last_time, profile.last_value) == (NOW, 80.0)


# --- once, counted, found, forgotten --------------------------------------------------------------


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.django_db(transaction=True)
def test_a_batch_sent_ten_times_by_eight_clients_is_as_if_it_was_sent_once(
    sensor: Sensor, settings: Any, how: str
) -> None:
    settings.READING_CONFLICTS = how
    send(sensor.site, many(100))
    batch = [*many(50, change=0.5), *rows(7.0, 8.0, minutes=300)]

    def client(_: int) -> int:
        try:
            return sum(send(sensor.site, batch).accepted for _ in range(10))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        accepted = sum(pool.map(client, range(8)))
    assert accepted == (51 if how == "keep_last" else 1)
    assert ReadingConflict.objects.count() == 51
    assert Reading.objects.count() == SensorProfile.objects.get().count == 101
    expected = [m + 0.5 * (how == "keep_last" and m < 50) for m in range(100)]
    assert values()[:0:-1] == expected
    assert SensorProfile.objects.get().mean == pytest.approx(np.mean(values()))


def test_conflicts_are_counted_by_what_became_of_them(sensor: Sensor) -> None:
    def counted() -> float:
        labels = {"resolution": "keep_first"}
        return REGISTRY.get_sample_value("smartmaint_reading_conflicts_total", labels) or 0.0

    before = counted()
    send(sensor.site, rows(1.0))
    send(sensor.site, rows(2.0, 3.0))
    assert counted() == before + 2


def test_one_site_never_sees_anothers_conflicts(sensor: Sensor) -> None:
    send(sensor.site, rows(1.0))
    send(sensor.site, rows(2.0))
    other = make_site()
    seen = ReadingConflict.objects
    assert seen.for_user(make_person(sensor.site)).count() == 1
    assert seen.for_user(make_person(other)).count() == 0
    assert seen.for_key(make_key(site=other)[0]).count() == 0


def test_conflicts_are_forgotten_after_a_while(sensor: Sensor, settings: Any) -> None:
    settings.QUARANTINE_RETENTION_DAYS = 30
    now = timezone.now()
    send(sensor.site, rows(1.0), now=now)
    send(sensor.site, rows(2.0), now=now)
    assert conflicts.prune(now=now + timedelta(days=29)) == 0
    assert conflicts.prune(now=now + timedelta(days=31)) == 1

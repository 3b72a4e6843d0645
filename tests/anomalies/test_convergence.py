"""Any order, any batching, any repetition and any crash of the same readings end in the same
anomalies as a clean run in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomalies import detection, ledger
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly, AnomalyRevision, DetectionLease
from anomalies.validation import validate_due
from mlops import features, serving
from mlops.detectors.local import fit_local
from mlops.serving import Champion, NoChampion
from sensors.generator import DEFAULT_PLAN, labelled_stream
from sensors.models import ScoringNote, Sensor
from sensors.series import Series, to_datetime
from tests.anomalies import production
from tests.factories import make_sensor

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, tzinfo=UTC)
UNTIL = np.datetime64("2026-03-01T00:00", "us")
PLAN = replace(DEFAULT_PLAN, slots=470, history=250)
POLICY = DetectionPolicy()
SEEN = (
    "start",
    "peak",
    "end",
    "readings",
    "severity",
    "nature",
    "excursion",
    "detector",
    "rung",
    "model_name",
    "model_version",
    "observed",
    "expected_low",
    "expected_high",
    "decision",
    "confidence",
)


@cache
def readings() -> Series:
    """470 readings of one sensor with a level shift and a spike, as they lie in the store."""
    rng = np.random.default_rng(107)
    stream = labelled_stream("pressure", ["level_shift", "spike"], until=UNTIL, rng=rng, plan=PLAN)
    times, values = stream.in_event_order()
    return Series(times, values, np.ones(len(values)))


@cache
def champion() -> Champion:
    rng = np.random.default_rng(105)
    stream = labelled_stream("pressure", [], until=UNTIL, rng=rng, plan=DEFAULT_PLAN)
    X = features.compute(*stream.in_event_order(), features.MIN_ROWS)
    return Champion("anomaly-pressure", 1, fit_local(X))


def store(sensor: Sensor, rows: list[int]) -> None:
    """Rows of `readings()` with their note, as acquisition commits them."""
    series = readings()
    times = [to_datetime(series.times[row]) for row in rows]
    production.commit(sensor, times, series.values[rows])


def drain_all() -> None:
    production.drain(now=NOW, policy=POLICY)


def outcome(sensor: Sensor) -> list[tuple[object, ...]]:
    """The standing anomalies with what they were judged to be, oldest first; scores to 1e-9."""
    while validate_due(now=NOW + timedelta(days=1)):
        pass
    found = Anomaly.objects.standing().filter(sensor=sensor).order_by("start")
    return [
        (
            *(getattr(a, name) for name in SEEN),
            round(a.score, 9),
            a.explanation["contributions"],
            a.receipt["window_sha256"],
        )
        for a in found
    ]


@cache
def clean_run(rung: str) -> list[tuple[object, ...]]:
    """What all readings at once, in order, end in. Call it while `rung` serves."""
    sensor = make_sensor(kind="pressure")
    store(sensor, list(range(len(readings()))))
    drain_all()
    return outcome(sensor)


@pytest.fixture(params=["local", "champion"])
def rung(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Detection by the rungs without a registry, and by a champion (the registry is the border
    where a fake stands)."""
    if request.param == "champion":
        monkeypatch.setattr(
            serving, "champions_for", lambda sensors: {pk: champion() for pk, _ in sensors}
        )
    return str(request.param)


def test_the_clean_run_finds_the_faults(rung: str) -> None:
    found = clean_run(rung)
    assert len(found) >= 2
    assert rung in {row[SEEN.index("rung")] for row in found}


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_order_batching_and_repetition_ends_as_the_clean_run(
    rung: str, data: st.DataObject
) -> None:
    n = len(readings())
    cuts = data.draw(st.lists(st.integers(1, n - 1), max_size=6, unique=True).map(sorted))
    batches = [b.tolist() for b in np.split(np.arange(n), cuts)]
    order = data.draw(st.permutations([*batches, *batches[: len(batches) // 2]]))
    strays = data.draw(st.lists(st.integers(0, n - 1), max_size=4))
    sensor = make_sensor(kind="pressure")
    for batch in order:
        store(sensor, [row for row in batch if row not in strays] or batch)
        if data.draw(st.booleans()):
            drain_all()
    for row in [*strays, *range(0, n, 97)]:
        store(sensor, [row])
    drain_all()
    assert outcome(sensor) == clean_run(rung)


def test_readings_that_come_one_by_one_end_as_the_clean_run(rung: str) -> None:
    n, sensor = len(readings()), make_sensor(kind="pressure")
    store(sensor, list(range(300)))
    drain_all()
    for row in range(300, n):
        store(sensor, [row])
        drain_all()
    assert outcome(sensor) == clean_run(rung)


def test_an_anomaly_that_only_grows_leaves_no_revision(rung: str) -> None:
    sensor = make_sensor(kind="pressure")
    for batch in np.split(np.arange(len(readings())), [300, 320, 340, 360, 380]):
        store(sensor, batch.tolist())
        drain_all()
    assert outcome(sensor)
    assert not AnomalyRevision.objects.filter(anomaly__sensor=sensor).exists()


def test_a_late_reading_that_changes_an_anomaly_leaves_a_trace(rung: str) -> None:
    n, sensor = len(readings()), make_sensor(kind="pressure")
    clean = clean_run(rung)
    peak = clean[0][SEEN.index("peak")]
    late = next(row for row in range(n) if to_datetime(readings().times[row]) == peak)
    store(sensor, [row for row in range(n) if row != late])
    drain_all()
    before = outcome(sensor)
    store(sensor, [late])
    drain_all()
    assert before != outcome(sensor) == clean
    touched = AnomalyRevision.objects.filter(anomaly__sensor=sensor)
    if len(before) >= len(clean):
        assert {revision.reason for revision in touched} == {"late readings"}


def test_a_worker_that_dies_leaves_its_notes_to_the_next_after_the_lease(
    rung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = make_sensor(kind="pressure")
    store(sensor, list(range(len(readings()))))

    class Killed(BaseException):
        pass

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "carry_out", die)
        with pytest.raises(Killed):
            detection.drain(now=NOW, policy=POLICY)
    assert detection.drain(now=NOW, policy=POLICY).sensors == 0
    later = NOW + timedelta(minutes=10)
    assert detection.drain(now=later, policy=POLICY).sensors == 1
    assert outcome(sensor) == clean_run(rung)


def test_a_worker_that_lost_its_lease_writes_nothing(
    rung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = make_sensor(kind="pressure")
    store(sensor, list(range(len(readings()))))
    scored = detection.score_stretches

    def slow(*args: Any) -> object:
        DetectionLease.objects.filter(sensor=sensor).update(token=None)
        return scored(*args)

    with monkeypatch.context() as patch:
        patch.setattr(detection, "score_stretches", slow)
        detection.drain(now=NOW, policy=POLICY)
    assert outcome(sensor) == []
    assert ScoringNote.objects.filter(sensor=sensor).exists()


def test_what_a_lower_rung_scored_is_scored_again_when_the_champion_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = NoChampion("the registry is away", expected=True)
    monkeypatch.setattr(serving, "champions_for", lambda sensors: {pk: away for pk, _ in sensors})
    sensor = make_sensor(kind="pressure")
    store(sensor, list(range(len(readings()))))
    drain_all()
    assert {row[SEEN.index("rung")] for row in outcome(sensor)} <= {"local", "statistical"}
    assert detection.release_held() == 0
    monkeypatch.setattr(
        serving, "champions_for", lambda sensors: {pk: champion() for pk, _ in sensors}
    )
    assert detection.release_held() == 1
    drain_all()
    assert outcome(sensor) == clean_run("champion")
    assert not ScoringNote.objects.filter(sensor=sensor).exists()


def test_a_backlog_too_large_for_one_pass_ends_as_the_clean_run(
    rung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = clean_run(rung)
    monkeypatch.setattr(detection.regions, "MAX_ROWS", 37)
    sensor = make_sensor(kind="pressure")
    store(sensor, list(range(len(readings()))))
    drain_all()
    assert outcome(sensor) == clean

"""The core folds over a sensor's readings with checkpoints: however they come, the anomalies, their
parts and the states kept are those of a clean run in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from anomalies import checkpoints, detection, folding, leases, recomputing
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly, AnomalyRevision, DetectionCheckpoint
from sensors.generator import DEFAULT_PLAN, labelled_stream
from sensors.models import ScoringNote, Sensor
from sensors.series import Series, to_datetime
from tests.anomalies import production
from tests.factories import make_sensor, make_site

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ROWS = 1500
# Low enough that the core speaks of many readings that no rung finds odd.
POLICY = DetectionPolicy(core_rarity=1.2)


@cache
def readings() -> Series:
    rng = np.random.default_rng(108)
    plan = replace(DEFAULT_PLAN, slots=ROWS, history=ROWS - 500)
    until = np.datetime64("2026-03-01T00:00", "us")
    stream = labelled_stream("pressure", ["level_shift"], until=until, rng=rng, plan=plan)
    times, values = stream.in_event_order()
    return Series(times, values, np.ones(len(values)))


def store(sensor: Sensor, rows: np.ndarray) -> None:
    series = readings()
    times = [to_datetime(series.times[row]) for row in rows]
    production.commit(sensor, times, series.values[rows])


def drain_all() -> None:
    production.drain(now=NOW, policy=POLICY)


def outcome(sensor: Sensor) -> list[tuple[object, ...]]:
    found = Anomaly.objects.standing().filter(sensor=sensor).order_by("start")
    return [
        (a.start, a.peak, a.end, a.readings, a.detector, a.score, a.explanation["contributions"])
        for a in found
    ]


def states(sensor: Sensor) -> list[tuple[int, datetime, bytes]]:
    kept = DetectionCheckpoint.objects.filter(sensor=sensor).order_by("rows")
    return [(c.rows, c.time, bytes(c.state)) for c in kept]


def in_order() -> Sensor:
    sensor = make_sensor(kind="pressure")
    store(sensor, np.arange(len(readings())))
    drain_all()
    return sensor


def test_the_core_finds_what_no_rung_does_and_says_which_views_saw_it() -> None:
    found = Anomaly.objects.filter(sensor=in_order(), detector="core")
    assert found.count() > 3
    for anomaly in found:
        parts = anomaly.explanation["contributions"]
        assert {part["feature"] for part in parts} == {
            f"core.{name}" for name in folding.CORE.features_
        }
        assert sum(float(part["share"]) for part in parts) == pytest.approx(1, abs=1e-5)


def test_every_score_is_computed_again_from_the_readings() -> None:
    for anomaly in Anomaly.objects.filter(sensor=in_order()):
        assert recomputing.recompute(anomaly).score == pytest.approx(anomaly.score, abs=1e-9)


def test_a_score_of_another_core_is_not_computed_again_but_said_to_be_one() -> None:
    anomaly = Anomaly.objects.filter(sensor=in_order(), detector="core").earliest("start")
    anomaly.receipt["core_version"] = "older"
    with pytest.raises(recomputing.AnotherCore, match="version older of the core"):
        recomputing.recompute(anomaly)


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_batches_with_5_percent_late_end_as_in_order(seed: int) -> None:
    clean, n = in_order(), len(readings())
    rng, sensor = np.random.default_rng(seed), make_sensor(kind="pressure")
    late = rng.random(n) < 0.05
    batches = np.array_split(np.flatnonzero(~late), rng.integers(5, 12))
    for batch in [*(batches[i] for i in rng.permutation(len(batches))), np.flatnonzero(late)]:
        store(sensor, batch)
        if rng.random() < 0.7:
            drain_all()
    drain_all()
    assert outcome(sensor) == outcome(clean)
    assert states(sensor) == states(clean)


def test_history_that_comes_in_pieces_smaller_than_the_way_to_it_ends_as_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clean, sensor = in_order(), make_sensor(kind="pressure")
    monkeypatch.setattr(checkpoints, "PIECE_ROWS", 60)
    monkeypatch.setattr(checkpoints, "MOST_ROWS_A_PASS", 300)
    monkeypatch.setattr(detection.regions, "MAX_ROWS", 170)
    store(sensor, np.arange(len(readings())))
    drain_all()
    DetectionCheckpoint.objects.filter(sensor=sensor).delete()  # as after a change of the core
    store(sensor, np.arange(len(readings()) - 3, len(readings())))
    drain_all()
    assert outcome(sensor) == outcome(clean)
    assert not ScoringNote.objects.filter(sensor=sensor).exists()


def test_a_worker_that_dies_before_it_commits_leaves_the_states_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clean, sensor = in_order(), make_sensor(kind="pressure")
    store(sensor, np.arange(1000))
    drain_all()
    store(sensor, np.arange(1000, len(readings())))
    before = states(sensor)
    with monkeypatch.context() as patch:
        patch.setattr(leases, "done", _die)
        with pytest.raises(ZeroDivisionError):
            detection.drain(now=NOW, policy=POLICY)
    assert states(sensor) == before
    detection.drain(now=NOW + timedelta(minutes=10), policy=POLICY)
    assert (outcome(sensor), states(sensor)) == (outcome(clean), states(clean))


def _die(*args: object) -> None:
    raise ZeroDivisionError


def test_checkpoints_stay_few_however_long_the_stream() -> None:
    assert [len(folding.kept(rows)) for rows in (0, 255, 256, 10_000, 10_000_000)] == [
        0, 0, 1, 5, 12,
    ]  # fmt: skip
    assert max(folding.kept(10_000_000)) > 10_000_000 - folding.STEP_ROWS


def test_detect_scores_again_what_another_threshold_had_scored(
    settings: pytest.FixtureRequest,
) -> None:
    clean, sensor = in_order(), make_sensor(kind="pressure")
    store(sensor, np.arange(len(readings())))
    detection.drain(now=NOW, policy=DetectionPolicy())
    settings.DETECTION_POLICY = {"core_rarity": 1.2}  # type: ignore[attr-defined]
    assert outcome(sensor) != outcome(clean)
    said = detect("--since", "2026-01-01", "--sensors", sensor.external_id)
    assert "1 sensors scored" in said
    assert outcome(sensor) == outcome(clean)
    revisions = AnomalyRevision.objects.filter(anomaly__sensor=sensor)
    assert {r.reason for r in revisions} <= {"scored again on request"}
    changed = Anomaly.objects.filter(sensor=sensor).latest("updated_at").updated_at
    detect("--since", "2026-01-01", "--sensors", sensor.external_id)
    assert Anomaly.objects.filter(sensor=sensor).latest("updated_at").updated_at == changed


def test_detect_that_does_not_wait_leaves_one_note_however_often_it_is_asked() -> None:
    sensor = in_order()
    for _ in range(2):
        detect("--since", "2026-02-25", "--sensors", sensor.external_id, "--no-wait")
    note = ScoringNote.objects.get(sensor=sensor)
    assert note.reason == ScoringNote.Reason.MANUAL
    assert "1 sensors" in detect("--since", "2026-02-25", "--sensors", sensor.external_id)
    assert not ScoringNote.objects.filter(sensor=sensor).exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "2026-02-01", "--sensors", "nobody"], "There is no sensor nobody"),
        (["--since", "2026-02-01", "--site", "nowhere"], "There is no site nowhere"),
        (["--since", "2026-02-02", "--until", "2026-02-01"], "--since lies after --until"),
    ],
)
def test_detect_says_what_is_wrong_with_its_options(options: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as raised:
        detect(*options)
    assert raised.value.returncode == 2


def test_detect_of_a_site_leaves_other_sites_alone() -> None:
    sensor, elsewhere = in_order(), make_site()
    make_sensor(site=elsewhere)
    said = detect("--since", "2026-02-01", "--site", elsewhere.slug, "--no-wait")
    assert "0 sensors" in said
    assert not ScoringNote.objects.filter(sensor=sensor).exists()


def detect(*options: str) -> str:
    out = StringIO()
    call_command("detect", *options, stdout=out)
    return out.getvalue()

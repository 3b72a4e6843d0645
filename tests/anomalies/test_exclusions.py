"""Nothing is learnt from a confirmed fault, whenever it is confirmed; without a verdict all is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from anomalies import cases, exclusions, folding, recomputing
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import (
    Anomaly,
    AnomalyRevision,
    DetectionCheckpoint,
    FaultPeriod,
    Review,
    Verdict,
)
from anomalies.policy import ValidationPolicy
from anomalies.review import review
from sensors.generator import DEFAULT_PLAN, labelled_stream
from sensors.models import ScoringNote, Sensor
from sensors.series import Series, to_datetime
from tests.anomalies import production
from tests.factories import (
    NOW as MARCH,
)
from tests.factories import make_anomaly, make_person, make_readings, make_sensor, make_silence

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ROWS, FAULT, AGAIN = 1000, slice(700, 740), slice(850, 880)
POLICY = DetectionPolicy(core_rarity=1.5)
MINUTE = timedelta(minutes=1)


@cache
def readings() -> Series:
    """Calm but for two equal faults: a level that is three times as high."""
    plan = replace(DEFAULT_PLAN, slots=ROWS, history=ROWS - 500)
    rng = np.random.default_rng(31)
    stream = labelled_stream(
        "pressure", [], until=np.datetime64("2026-03-01", "us"), rng=rng, plan=plan
    )
    times, values = stream.in_event_order()
    values = values.copy()
    for fault in (FAULT, AGAIN):
        values[fault] += 12 * np.std(values)
    return Series(times, values, np.ones(len(values)))


def faulty() -> np.ndarray:
    mask = np.zeros(len(readings()), bool)
    mask[FAULT] = True
    return mask


# --- the core -------------------------------------------------------------------------------------


def test_what_comes_after_a_fault_is_judged_as_if_the_fault_had_not_been() -> None:
    series, mask = readings(), faulty()
    whole = folding.fold(folding.beginning(), series, mask)
    kept = Series(series.times[~mask], series.values[~mask], series.quality[~mask])
    without = folding.fold(folding.beginning(), kept)
    after = slice(FAULT.stop, None), slice(FAULT.start, None)
    assert np.array_equal(whole.judged.rarities[after[0]], without.judged.rarities[after[1]])
    for name, array in without.end.state.items():
        assert np.array_equal(whole.end.state[name], array)


def test_the_fault_itself_is_judged_as_it_would_have_been() -> None:
    series = readings()
    excluded = folding.fold(folding.beginning(), series, faulty()).judged
    learnt = folding.fold(folding.beginning(), series).judged
    assert np.array_equal(excluded.scores[: FAULT.stop], learnt.scores[: FAULT.stop])
    assert excluded.scores[AGAIN].max() > learnt.scores[AGAIN].max()


@pytest.mark.parametrize("size", [1, 7, 64])
def test_pieces_of_any_size_end_as_the_whole(size: int) -> None:
    series, mask = readings()[650:850], faulty()[650:850]
    whole = folding.fold(folding.beginning(), series, mask)
    at, scores = folding.beginning(), list[float]()
    for begin in range(0, len(series), size):
        part = slice(begin, begin + size)
        found = folding.fold(at, series[part], mask[part])
        at, scores = found.end, [*scores, *found.judged.scores]
    assert np.array_equal(scores, whole.judged.scores)
    assert all(np.array_equal(at.state[name], whole.end.state[name]) for name in at.state)


def test_no_state_is_kept_from_within_a_fault() -> None:
    series = readings()
    mask = np.zeros(len(series), bool)
    mask[600:900] = True
    rows = [point.rows for point in folding.fold(folding.beginning(), series, mask).checkpoints]
    assert rows
    assert not [row for row in rows if 600 < row <= 900]


# --- rows -----------------------------------------------------------------------------------------


def store(sensor: Sensor, rows: np.ndarray) -> None:
    series = readings()
    times = [to_datetime(series.times[row]) for row in rows]
    production.commit(sensor, times, series.values[rows])


def drain_all() -> None:
    production.drain(now=NOW, policy=POLICY)


def outcome(sensor: Sensor) -> list[tuple[object, ...]]:
    found = Anomaly.objects.standing().filter(sensor=sensor).order_by("start")
    return [
        (a.start, a.peak, a.end, a.readings, a.detector, round(a.score, 9), a.expected_low)
        for a in found
    ]


def states(sensor: Sensor) -> list[tuple[int, datetime, bytes]]:
    kept = DetectionCheckpoint.objects.filter(sensor=sensor).order_by("rows")
    return [(c.rows, c.time, bytes(c.state)) for c in kept]


def new_sensor() -> Sensor:
    return make_sensor(kind="pressure")


def say(sensor: Sensor, verdict: Verdict) -> Anomaly:
    """A verdict on what was found at the first fault."""
    series = readings()
    anomaly = (
        Anomaly.objects.standing()
        .filter(sensor=sensor, start__lte=to_datetime(series.times[FAULT.start + 5]))
        .latest("start")
    )
    person = make_person(sensor.site)
    review(anomaly=anomaly, verdict=verdict, note="", person=person, now=NOW)
    return anomaly


@cache
def _rows() -> np.ndarray:
    return np.arange(len(readings()))


@pytest.mark.django_db
def test_a_verdict_makes_the_same_fault_as_odd_when_it_comes_again() -> None:
    sensor = new_sensor()
    store(sensor, _rows())
    drain_all()
    series = readings()
    second = Anomaly.objects.standing().filter(
        sensor=sensor, end__gte=to_datetime(series.times[AGAIN.start])
    )
    before = max(a.score for a in second)
    say(sensor, Verdict.CONFIRMED)
    drain_all()
    assert max(a.score for a in second.all()) >= before
    revised = AnomalyRevision.objects.filter(anomaly__in=second).values_list("reason", flat=True)
    assert "a verdict changed what is learnt from" in revised


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(2))
def test_early_or_late_verdict_and_any_batches_end_alike(seed: int) -> None:
    late, early = new_sensor(), new_sensor()
    store(late, _rows())
    drain_all()
    say(late, Verdict.CONFIRMED)
    drain_all()
    store(early, _rows()[: FAULT.stop + 20])
    drain_all()
    say(early, Verdict.CONFIRMED)
    rng = np.random.default_rng(seed)
    rest = _rows()[FAULT.stop + 20 :]
    for batch in rng.permutation(5):
        store(early, np.array_split(rest, 5)[batch])
        if rng.random() < 0.7:
            drain_all()
    drain_all()
    assert outcome(early) == outcome(late)
    assert states(early) == states(late)


@pytest.mark.django_db
def test_a_verdict_that_is_taken_back_leaves_nothing_behind() -> None:
    sensor, never = new_sensor(), new_sensor()
    for one in (sensor, never):
        store(one, _rows())
    drain_all()
    say(sensor, Verdict.CONFIRMED)
    drain_all()
    assert outcome(sensor) != outcome(never)
    anomaly = Anomaly.objects.get(fault_period__isnull=False)
    review(
        anomaly=anomaly, verdict=Verdict.UNSURE, note="", person=make_person(sensor.site), now=NOW
    )
    drain_all()
    assert outcome(sensor) == outcome(never)
    assert states(sensor) == states(never)


@pytest.mark.django_db
def test_every_score_is_computed_again_behind_a_confirmed_fault() -> None:
    sensor = new_sensor()
    store(sensor, _rows())
    drain_all()
    say(sensor, Verdict.CONFIRMED)
    drain_all()
    for anomaly in Anomaly.objects.standing().filter(sensor=sensor):
        assert recomputing.recompute(anomaly).score == pytest.approx(anomaly.score, abs=1e-9)


@pytest.mark.django_db
def test_a_refuted_anomaly_is_learnt_from() -> None:
    sensor = new_sensor()
    store(sensor, _rows())
    drain_all()
    before = outcome(sensor)
    say(sensor, Verdict.FALSE_POSITIVE)
    assert not FaultPeriod.objects.exists()
    drain_all()
    assert outcome(sensor) == before


@pytest.mark.django_db
def test_a_confirmed_fault_that_goes_on_is_left_out_to_its_end_once_renewed() -> None:
    sensor = make_sensor()
    make_readings(sensor, [1.0] * 10, until=MARCH + 9 * MINUTE)
    anomaly = make_anomaly(sensor=sensor, start=MARCH, readings=3, end=MARCH + 2 * MINUTE)
    person = make_person(sensor.site)
    review(anomaly=anomaly, verdict=Verdict.CONFIRMED, note="", person=person, now=NOW)
    Anomaly.objects.update(end=MARCH + 8 * MINUTE)
    assert exclusions.confirmed_fault_periods(sensor.pk).until[0] == np.datetime64(
        "2026-03-01T12:02"
    )
    ScoringNote.objects.all().delete()
    assert exclusions.renew(now=NOW) == 1
    assert exclusions.renew(now=NOW) == 0
    assert FaultPeriod.objects.get().until == MARCH + 8 * MINUTE
    note = ScoringNote.objects.get()
    assert (note.since, note.until, note.reason) == (MARCH, MARCH + 9 * MINUTE, "verdict")


@pytest.mark.django_db
def test_what_was_confirmed_before_periods_were_written_down_gets_its_own() -> None:
    anomaly = make_anomaly(verdict=Verdict.CONFIRMED, reviewed_at=NOW)
    make_silence(verdict=Verdict.CONFIRMED, reviewed_at=NOW)
    assert exclusions.renew(now=NOW) == 1
    assert FaultPeriod.objects.get().anomaly == anomaly
    assert exclusions.renew(now=NOW) == 0


@pytest.mark.django_db
def test_a_silence_has_no_readings_to_leave_out() -> None:
    anomaly = make_silence()
    person = make_person(anomaly.sensor.site)
    review(anomaly=anomaly, verdict=Verdict.CONFIRMED, note="", person=person, now=NOW)
    assert Review.objects.count() == 1
    assert not FaultPeriod.objects.exists()


@pytest.mark.django_db
def test_the_readings_of_a_confirmed_fault_are_no_history_of_a_later_anomaly() -> None:
    sensor = make_sensor()
    make_readings(sensor, [50.0] * 30 + [80.0] * 10, until=MARCH - MINUTE)
    fault = make_anomaly(sensor=sensor, start=MARCH - 10 * MINUTE, end=MARCH - MINUTE, readings=10)
    later = make_anomaly(sensor=sensor, start=MARCH)
    policy = ValidationPolicy()
    assert 80.0 in cases.around(later, policy, at=NOW).history.values
    person = make_person(sensor.site)
    review(anomaly=fault, verdict=Verdict.CONFIRMED, note="", person=person, now=NOW)
    assert set(cases.around(later, policy, at=NOW).history.values) == {50.0}
    assert len(cases.around(later, policy, at=NOW).history) == policy.historical_check_limit

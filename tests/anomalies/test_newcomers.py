"""Which readings the fleet's prior judges, by what, and that it alarms where the rungs cannot."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from anomalies.detection_policy import DetectionPolicy
from anomalies.newcomers import Fleet, serves, with_fleet
from anomalies.scored import FLEET, LIMITS, LOCAL, Scored
from anomalies.scoring import score_stretches
from anomalies.stretch import Limits, Stretch
from mlops.detectors import fleet
from mlops.detectors.newcomer import ROWS
from sensors.generator import normal
from sensors.operating import OFF, RUNNING
from sensors.series import FloatArray, Series

BEGIN, STEP = np.datetime64("2026-03-01", "us"), np.timedelta64(600, "s")
POLICY = DetectionPolicy()


def readings(seed: int, rows: int) -> FloatArray:
    return normal("pressure", BEGIN + np.arange(rows) * STEP, np.random.default_rng([78, seed]))


@cache
def own(since: np.datetime64 = BEGIN) -> Fleet:
    prior = fleet.learn([readings(seed, 1200) for seed in range(4)], 600.0)
    assert prior is not None
    return Fleet("fleet-pressure", 1, since, prior)


def stretch_of(values: FloatArray, step: np.timedelta64 = STEP, first: int = 0) -> Stretch:
    times = BEGIN + np.arange(len(values)) * step
    return Stretch(Series(times, values, np.ones(len(values))), first, Limits())


def jumped(at: int, rows: int = 60) -> FloatArray:
    values = readings(30, rows)
    values[at : at + 2] += 15 * own().prior.typical.noise
    return values


def scored(stretch: Stretch, fleet: Fleet | None = None) -> Scored:
    found = score_stretches([stretch], None, POLICY)[0]
    return with_fleet(found, stretch, fleet or own())


def test_a_jump_of_the_twentieth_reading_alarms_by_the_fleet_alone() -> None:
    stretch = stretch_of(jumped(20))
    assert score_stretches([stretch], None, POLICY)[0].scores[20] < 0.5
    found = scored(stretch)
    assert found.scores[20] >= 0.5
    assert found.rungs[20] == FLEET
    assert (found.serving[:60] == FLEET).all()


def test_a_row_scores_the_same_when_only_it_is_to_be_scored() -> None:
    whole = scored(stretch_of(jumped(20)))
    for row in (0, 20, 45):
        part = scored(stretch_of(jumped(20)[: row + 1], first=row))
        assert part.scores[0] == whole.scores[row]


def test_it_judges_the_first_readings_that_came_after_it_was_made() -> None:
    stretch = stretch_of(readings(31, ROWS + 50))
    assert serves(stretch, own()).sum() == ROWS
    later = own(BEGIN + 100 * STEP)
    assert np.array_equal(np.flatnonzero(serves(stretch, later)), np.arange(100, ROWS))
    assert scored(stretch).serving[-1] == LOCAL
    old = scored(stretch, own(BEGIN + 10_000 * STEP))
    assert old.fleet is None
    assert old.serving[10] == LIMITS


def test_a_sensor_of_another_rhythm_is_judged_by_its_own() -> None:
    assert not serves(stretch_of(readings(32, 60), np.timedelta64(30, "s")), own())[1:].any()


def test_readings_of_a_standstill_and_of_confirmed_faults_are_no_past() -> None:
    values = readings(33, 80)
    values[20:40] = 0.0
    states = np.full(80, RUNNING)
    states[20:40] = OFF
    stood = replace(stretch_of(values), states=states)
    rest = np.delete(values, np.s_[20:40])
    found, without = scored(stood), scored(stretch_of(rest))
    assert found.fleet is not None
    assert without.fleet is not None
    assert (found.fleet.judged.ratios[20:40] == 0).all()
    assert np.array_equal(found.fleet.judged.ratios[40:], without.fleet.judged.ratios[20:])
    faulty = np.arange(80)
    blamed = replace(stretch_of(values), faulty=(faulty >= 20) & (faulty < 40))
    whole, confirmed = scored(stretch_of(values)), scored(blamed)
    assert whole.fleet is not None
    assert confirmed.fleet is not None
    assert np.array_equal(confirmed.fleet.judged.ratios[:40], whole.fleet.judged.ratios[:40])
    assert np.array_equal(confirmed.fleet.judged.ratios[40:], without.fleet.judged.ratios[20:])

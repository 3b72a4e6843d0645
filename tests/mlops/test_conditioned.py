"""A machine that starts and stops: it is judged by how it runs, while it runs."""

from __future__ import annotations

import numpy as np
import pytest

from anomalies.detection_policy import DetectionPolicy
from anomalies.scored import Scored, ranges
from anomalies.scoring import score_stretches
from anomalies.stretch import Limits, Stretch
from mlops import conditioned, features
from mlops.conditioned import Conditions
from sensors.operating import OFF, RUNNING, STARTING, Interval, states_at
from sensors.series import FloatArray, Series, TimeArray

POLICY = DetectionPolicy()
STEP = np.timedelta64(10, "m")
BEGIN = np.datetime64("2026-01-05", "us")
CYCLE, ON, START = 36, 22, 2  # rows: how long a cycle is, how long of it running, and starting
CYCLES = 50


def cycles(seed: int = 101) -> tuple[TimeArray, FloatArray, list[Interval]]:
    """Vibration: 12 mm/s while it runs, up to three times that while it starts, 0.3 at rest."""
    n = CYCLE * CYCLES
    times, rng = BEGIN + np.arange(n) * STEP, np.random.default_rng(seed)
    phase = np.arange(n) % CYCLE
    starts, runs = phase < START, (phase >= START) & (phase < START + ON)
    values = np.where(runs, rng.normal(12, 0.5, n), rng.normal(0.3, 0.02, n))
    values[starts] = rng.uniform(15, 36, starts.sum())
    intervals = []
    for first in range(0, n, CYCLE):
        at = [times[first], times[first + START], times[first + START + ON - 1] + STEP]
        kinds = (STARTING, RUNNING, OFF)
        intervals += [Interval(kind, when, None) for kind, when in zip(kinds, at, strict=True)]
    return times, values.round(2), intervals


def scored(values: FloatArray, *, first: int = 0) -> Scored:
    times, _, intervals = cycles()
    series = Series(times, values, np.ones(len(times)))
    stretch = Stretch(series, first, Limits(), states_at(times, intervals))
    return score_stretches([stretch], None, POLICY)[0]


def running_row(cycle: int, row: int = 5) -> int:
    return cycle * CYCLE + START + row


def test_fifty_starts_and_stops_are_no_anomaly():
    assert ranges(scored(cycles()[1]).scores, POLICY) == []


def test_without_the_states_they_are():
    times, values, _ = cycles()
    series = Series(times, values, np.ones(len(times)))
    plain = score_stretches([Stretch(series, 0, Limits())], None, POLICY)[0]
    assert ranges(plain.scores, POLICY)


@pytest.mark.parametrize("level", [0.3, 25.0])
def test_what_is_usual_at_rest_or_at_a_start_is_an_anomaly_while_it_runs(level: float):
    _, values, _ = cycles()
    first = running_row(45)
    values[first : first + 12] = np.random.default_rng(1).normal(level, 0.02, 12)
    found = ranges(scored(values).scores, POLICY)
    assert first <= found[0].start < first + 3


def test_a_limit_holds_in_every_state():
    times, values, intervals = cycles()
    values[running_row(40, ON + 3)] = 90.0
    series = Series(times, values, np.ones(len(times)))
    limits = Limits(alarm_high=80.0)
    stretch = Stretch(series, 0, limits, states_at(times, intervals))
    found = ranges(score_stretches([stretch], None, POLICY)[0].scores, POLICY)
    assert [r.start for r in found] == [running_row(40, ON + 3)]


def test_a_row_is_the_same_in_any_batch_and_knows_no_later_one():
    times, values, intervals = cycles()
    states = states_at(times, intervals)
    whole = conditioned.compute(times, values, 1200, Conditions(states))
    for row in (1207, 1233, 1300):
        since = row - features.CONTEXT_ROWS + 1
        part = slice(since, row + 1)
        alone = conditioned.compute(
            times[part], values[part], row - since, Conditions(states[part])
        )
        np.testing.assert_array_equal(alone[0], whole[row - 1200])


def test_a_machine_that_always_runs_has_the_features_it_has_without_states():
    times, values, _ = cycles()
    states = np.zeros(len(times), np.int8)
    np.testing.assert_array_equal(
        conditioned.compute(times, values, 700, Conditions(states)),
        features.compute(times, values, 700),
    )


def test_a_later_state_ends_an_earlier_one_and_a_bounded_one_gives_back():
    times = BEGIN + np.arange(5) * STEP
    off = Interval(OFF, times[1], None)
    start = Interval(STARTING, times[2], times[3])
    assert states_at(times, [start, off]).tolist() == [0, 2, 1, 2, 2]
    assert states_at(times, [off, Interval(RUNNING, times[4], None)]).tolist() == [0, 2, 2, 2, 0]


def fault_of(values: FloatArray) -> tuple[FloatArray, np.ndarray]:
    """The same stream with a level shift from row 900 to 960, and which rows that is."""
    faulty = np.zeros(len(values), bool)
    faulty[900:960] = True
    return np.where(faulty, values + 40, values), faulty


def test_after_a_confirmed_fault_a_row_is_compared_with_healthy_rows_alone():
    times = BEGIN + np.arange(1400) * STEP
    values, faulty = fault_of(np.random.default_rng(5).normal(12, 0.5, 1400))
    X = conditioned.compute(times, values, 700, Conditions(faulty=faulty))
    at = 1000
    context = np.arange(at - features.CONTEXT_ROWS + 1, at + 1)
    kept = context[~faulty[context]]
    alone = features.compute(times[kept], values[kept], len(kept) - 1)[0]
    others = [i for i, name in enumerate(features.FEATURES) if name not in {"gap", "rhythm"}]
    np.testing.assert_array_equal(X[at - 700][others], alone[others])
    low, high = conditioned.expected(times, values, at, Conditions(faulty=faulty))
    assert 8 < low < high < 16


def test_a_confirmed_fault_is_itself_judged_as_before():
    times = BEGIN + np.arange(1400) * STEP
    values, faulty = fault_of(np.random.default_rng(5).normal(12, 0.5, 1400))
    X = conditioned.compute(times, values, 700, Conditions(faulty=faulty))
    plain = features.compute(times, values, 700)
    np.testing.assert_array_equal(X[:260], plain[:260])
    assert not np.array_equal(X[260:], plain[260:])


def test_beside_a_confirmed_fault_too_a_row_is_the_same_in_any_batch():
    times = BEGIN + np.arange(1400) * STEP
    values, faulty = fault_of(np.random.default_rng(5).normal(12, 0.5, 1400))
    whole = conditioned.compute(times, values, 700, Conditions(faulty=faulty))
    for row in (905, 959, 960, 1201):
        part = slice(row - features.CONTEXT_ROWS + 1, row + 1)
        conditions = Conditions(faulty=faulty[part])
        alone = conditioned.compute(
            times[part], values[part], features.CONTEXT_ROWS - 1, conditions
        )
        np.testing.assert_array_equal(alone[0], whole[row - 700])

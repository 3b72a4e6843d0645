"""The two levels of a machine that starts and stops, and what shows only one."""

from __future__ import annotations

import numpy as np
import pytest

from anomalies.familiar.modes import (
    CHANGING,
    LOWER,
    RUN_ROWS,
    UPPER,
    Heaps,
    Modes,
    learn,
    learn_each,
    modes_at,
)
from sensors.series import FloatArray

NONE = Heaps(np.zeros(0), np.zeros(0))


def cycles(n: int, rng: np.random.Generator, low: float = 0.3, high: float = 12.0) -> FloatArray:
    one = np.concatenate([np.full(22, high), np.full(12, low)])
    return np.tile(one, n) + rng.normal(0, 0.02 * high, 34 * n)


def minutes(n: int, step: int = 10) -> np.ndarray:
    return np.datetime64("2026-01-05", "us") + np.arange(n) * np.timedelta64(step, "m")


def test_two_levels_are_learnt_when_it_was_in_each_of_them_twice() -> None:
    rng = np.random.default_rng(1)
    assert learn(NONE, Heaps.of_runs(cycles(1, rng))) is None
    found = learn(NONE, Heaps.of_runs(cycles(2, rng)))
    assert found is not None
    assert 1 < found.lower < found.upper < 11


def test_hours_that_are_remembered_show_them_too() -> None:
    levels = np.tile(np.repeat([40.0, 60.0], 8), 3) + np.tile([0.0, 0.4], 24)
    assert learn(Heaps(levels, np.full(48, 2.0)), NONE) is not None
    moving = Heaps(levels, np.full(48, 15.0))
    assert learn(moving, NONE) is None


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(2).normal(10, 1, 400),
        10 + 5 * np.sin(np.arange(600) / 23),
        np.arange(300.0),
        np.full(300, 7.0),
        np.append(np.full(200, 7.0), np.full(200, 9.0)),  # a level shift, once
        np.tile([3.0, 9.0], 150),  # it never stays
        np.zeros(0),
    ],
    ids=["noise", "sine", "ramp", "constant", "shift", "flapping", "nothing"],
)
def test_one_level_or_many_are_no_two(values: FloatArray) -> None:
    assert learn(NONE, Heaps.of_runs(values)) is None


def test_a_reading_between_the_levels_stays_in_the_mode_it_was_in() -> None:
    values = np.array([12.0, 12, 12, 12, 6, 6, 0.3, 0.3, 0.3, 0.3, 6, 12, 12, 12, 12])
    found = modes_at(minutes(len(values)), values, Modes(1.0, 9.0))
    assert found.tolist() == [UPPER] * 6 + [CHANGING] * 3 + [LOWER] * 2 + [CHANGING] * 3 + [UPPER]


def test_what_follows_a_change_within_two_minutes_is_changing_at_any_rate() -> None:
    times = np.datetime64("2026-01-05", "us") + np.arange(300) * np.timedelta64(1, "s")
    values = np.where(np.arange(300) < 100, 0.3, 12.0)
    found = modes_at(times, values, Modes(1.0, 9.0))
    assert (found[:100] == LOWER).all()
    assert (found[100:220] == CHANGING).all()
    assert (found[220:] == UPPER).all()


def test_a_mode_knows_no_later_reading() -> None:
    values, times = cycles(3, np.random.default_rng(4)), minutes(102)
    whole = modes_at(times, values, Modes(1.0, 9.0))
    for cut in (20, 23, 24, 35, 80):
        np.testing.assert_array_equal(modes_at(times[:cut], values[:cut], Modes(1, 9)), whole[:cut])


def test_pasts_that_share_what_they_know_are_learnt_as_each_alone() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([cycles(6, rng), rng.normal(12.0, 0.2, 120), cycles(4, rng)])
    runs, hours = Heaps.of_runs(values), Heaps(values[::6], np.abs(np.diff(values[::6], append=0)))
    ends = rng.integers(0, len(hours.means), 60)
    spans = np.column_stack([ends // 3, ends, np.maximum(0, ends * 6 - 150), ends * 6])
    spans[:, 3] = np.minimum(spans[:, 3], len(runs.means))
    alone = [
        learn(
            Heaps(hours.means[a:b], hours.ranges[a:b]),
            Heaps.of_runs(values[c : max(c, d) + RUN_ROWS - 1]),
        )
        for a, b, c, d in spans
    ]
    assert learn_each(hours, runs, spans) == alone
    assert 10 < sum(one is not None for one in alone) < 55

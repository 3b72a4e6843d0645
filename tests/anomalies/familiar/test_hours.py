"""Whether a sensor read so before, at about that time of day."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomalies.familiar.hours import DAYS, HOUR_US, Memory, Window
from sensors.clocks import NO_CHANGES, IntArray
from sensors.slices import Buckets

FIRST = 490_000 // 24 * 24  # a midnight
DAY = Window(hour=FIRST + 20 * 24 + 12, low=58.0, high=62.0, mean=60.0, noise=1.0, rows=6)


def memory(days: int = 20, **changed: list[int]) -> Memory:
    """60 ± 2 from six to eighteen, 40 ± 2 at night; but on the days that are `idle`."""
    hour = np.arange(FIRST, FIRST + days * 24)
    level = np.where((hour % 24 >= 6) & (hour % 24 < 18), 60.0, 40.0)
    level[np.isin((hour - FIRST) // 24, changed.get("idle", []))] = 40.0
    kept = ~np.isin((hour - FIRST) // 24, changed.get("missing", []))
    return Memory.of(
        Buckets(hour * HOUR_US, level - 2, level + 2, level, np.full(len(hour), 6)).take(kept)
    )


def days_like(memory: Memory, window: Window, changes: IntArray = NO_CHANGES) -> int:
    """The same with another window beside it, and no other for it."""
    others = [replace(window, low=-999.0, hour=window.hour - 1), replace(window, rows=1)]
    found = memory.days_like([*others, window], changes)
    assert found[0] == 0
    assert found[2] == memory.days_like([window], changes)[0]
    return int(found[2])


def test_each_day_on_which_it_read_so_counts_once() -> None:
    assert days_like(memory(), DAY) == 20
    assert days_like(memory(idle=[3, 4, 5]), DAY) == 17
    assert days_like(memory(missing=[0, 7]), DAY) == 18


def test_what_was_on_other_days_at_that_time_is_known_to_be_so() -> None:
    idle = replace(DAY, low=38.0, high=42.0, mean=40.0)
    assert days_like(memory(), idle) == 0
    assert days_like(memory(idle=[5, 6]), idle) == 2


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_an_hour_earlier_or_later_is_the_same_time(hours: int) -> None:
    evening = Window(
        hour=FIRST + 20 * 24 + 18 + hours, low=40, high=60, mean=50.0, noise=1.0, rows=6
    )
    assert days_like(memory(), evening) == 20


def ramp(days: int = 20) -> Memory:
    """It rises by 5 an hour from midnight on, so that a time of day has its own value."""
    hour = np.arange(FIRST, FIRST + days * 24)
    level = np.tile(np.arange(0.0, 120.0, 5.0), days)
    low, high = level - 4.0, level + 4.0
    return Memory.of(Buckets(hour * HOUR_US, low, high, level, np.full(len(hour), 6)))


@pytest.mark.parametrize(("forward", "reads_as"), [(1, 2), (-1, -3)])
def test_days_before_a_change_of_the_clock_are_compared_by_that_clock_as_well(
    forward: int, reads_as: int
) -> None:
    """reads_as: as so many hours later it did on the days before."""
    level = 5.0 * (12 + reads_as)
    by_local = replace(DAY, low=level - 4, high=level + 4, mean=level)
    changed = np.array([[DAY.hour - 3 * 24 - 5, forward]])
    assert days_like(ramp(), by_local, changed) == 17
    assert days_like(ramp(), by_local) == 0
    assert days_like(ramp(), by_local, changed + np.array([24 * 99, 0])) == 0
    by_utc = replace(DAY, low=56.0, high=64.0, mean=60.0)
    assert days_like(ramp(), by_utc, changed) == 20


@pytest.mark.parametrize(
    "odd",
    [
        replace(DAY, high=70.0),
        replace(DAY, low=50.0),
        replace(DAY, mean=64.0, low=62.5, high=64.5),
        replace(DAY, low=60.0, high=60.0),  # it is stuck
        replace(DAY, hour=FIRST + 20 * 24 + 2),  # by night
    ],
)
def test_what_it_never_read_at_that_time_is_not_known(odd: Window) -> None:
    assert days_like(memory(), odd) == 0


def test_what_is_long_ago_and_what_is_of_today_do_not_count() -> None:
    far = replace(DAY, hour=DAY.hour + (DAYS - 5) * 24)
    assert days_like(memory(), far) == 5
    assert days_like(memory(days=DAYS + 30), replace(DAY, hour=FIRST + 24 * 60 + 12)) == DAYS
    today = replace(DAY, hour=FIRST + 19 * 24 + 12)
    assert days_like(memory(idle=list(range(19))), today) == 0


def test_a_single_reading_is_not_said_to_be_stuck() -> None:
    assert days_like(memory(), replace(DAY, low=60.0, high=60.0, rows=1)) == 20


def test_a_sensor_at_rest_is_known_at_any_time_from_the_second_day_on() -> None:
    noon = replace(DAY, low=38.5, high=41.0, mean=40.0)
    assert days_like(memory(), noon) == 0
    assert memory().rested_like(noon, lower=45.0)
    assert not memory(days=1).rested_like(replace(noon, hour=FIRST + 36), lower=45.0)
    assert not memory().rested_like(replace(noon, low=30.0), lower=45.0)
    assert not memory().rested_like(replace(noon, low=40.0, high=40.0), lower=45.0)
    assert not memory().rested_like(DAY, lower=45.0)


def test_a_memory_of_nothing_knows_nothing() -> None:
    none, numbers = np.zeros(0), np.zeros(0, np.int64)
    nothing = Memory.of(Buckets(numbers, none, none, none, numbers))
    assert days_like(nothing, DAY) == 0
    assert nothing.days_before(np.array([DAY.hour])).tolist() == [0]


def test_age_is_counted_from_the_first_hour_that_is_remembered() -> None:
    hours = FIRST + np.array([23, 50, 0])
    assert memory().days_before(hours).tolist() == [0, 2, 0]
    assert memory(days=80).days_before(FIRST + np.array([24 * 79])).tolist() == [DAYS]

"""A machine that rests on a holiday as it does by night is not a changed one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mlops.detectors.base import score_of_rarity
from mlops.detectors.streaming.contract import dumped, loaded
from mlops.detectors.streaming.joint import JointFold
from sensors.series import FloatArray

A_DAY, DAYS = 48, 50  # a reading every half hour
TIMES = np.datetime64("2026-05-04", "us") + np.arange(DAYS * A_DAY) * np.timedelta64(1_800, "s")
HOLIDAY = slice(30 * A_DAY, 37 * A_DAY)
AFTER = 20 * A_DAY  # enough is known
JOINT = JointFold(3, 400)


def readings(*, weekends: bool = False) -> FloatArray:
    """Two shifts a day, and three sensors that follow them and share a load."""
    hours, day = np.arange(len(TIMES)) % A_DAY / 2, np.arange(len(TIMES)) // A_DAY
    works = (hours >= 6) & (hours < 22)
    works[HOLIDAY] = False
    if weekends:
        works &= day % 7 < 5
    rng = np.random.default_rng(4)
    own = rng.normal(size=(len(TIMES), 1)) + rng.normal(size=(len(TIMES), 3))
    return np.asarray(own + works[:, np.newaxis] * [20.0, -10.0, 15.0])


def alarms(values: FloatArray) -> np.ndarray:
    _, judged = JOINT.judge(JOINT.start(), TIMES, values)
    return np.asarray(score_of_rarity(judged.parts.sum(axis=1)) >= 0.5)


@pytest.mark.parametrize("weekends", [False, True])
def test_a_holiday_is_like_a_long_night(weekends: bool) -> None:
    assert alarms(readings(weekends=weekends))[AFTER:].mean() < 0.02


def test_what_breaks_on_a_holiday_is_found_and_told_in_units() -> None:
    values, broken = readings(), slice(HOLIDAY.start + 100, HOLIDAY.start + 250)
    values[broken] += [4.0, -4.0, 0.0]
    _, judged = JOINT.judge(JOINT.start(), TIMES, values)
    odd = score_of_rarity(judged.parts.sum(axis=1)) >= 0.5
    assert odd[broken][30:].mean() > 0.9
    row = broken.start + 100
    told, window = judged.tell(row), slice(row - JOINT.window_rows + 1, row + 1)
    np.testing.assert_allclose(told.observed, values[window].mean(axis=0), atol=1e-9)
    most = judged.parts[row].argmax()
    assert not told.low[most] <= told.observed[most] <= told.high[most]


def test_work_at_an_hour_of_rest_with_sensors_that_disagree_is_found() -> None:
    values = readings()
    values[40 * A_DAY : 40 * A_DAY + 12] += [20.0, 10.0, 15.0]  # one goes the other way
    assert alarms(values)[40 * A_DAY + 6 : 40 * A_DAY + 12].all()


def test_it_is_judged_to_the_bit_in_any_pieces() -> None:
    values = readings()
    _, whole = JOINT.fold(JOINT.start(), TIMES, values)
    state, found = JOINT.start(), []
    for begin, end in pairwise((0, 401, 1_200, HOLIDAY.start + 30, HOLIDAY.start + 31, len(TIMES))):
        state, parts = JOINT.fold(loaded(dumped(state)), TIMES[begin:end], values[begin:end])
        found.append(parts)
    np.testing.assert_array_equal(np.concatenate(found), whole)
    for cut in (HOLIDAY.start + 15, HOLIDAY.stop, HOLIDAY.stop + 20):
        _, cut_short = JOINT.fold(JOINT.start(), TIMES[:cut], values[:cut])
        np.testing.assert_array_equal(cut_short, whole[:cut])

"""A machine keeps the hours of its site or those of the sun, and the site's clock is changed."""

from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from mlops.detectors.base import score_of_rarity
from mlops.detectors.streaming.contract import dumped, loaded
from mlops.detectors.streaming.joint import JointFold
from sensors import clocks
from sensors.series import FloatArray, TimeArray

ZONE = "Europe/Berlin"
ROWS, CHANGE = (
    2_600,
    1_600,
)  # a reading every half hour; more than a month before, three weeks after
CHANGES = {"spring": "2026-03-29T01:00", "autumn": "2026-10-25T01:00"}
JOINT = JointFold(3, 400, ZONE)


def times_of(season: str) -> TimeArray:
    rows = np.arange(-CHANGE, ROWS - CHANGE)
    return np.datetime64(CHANGES[season], "us") + rows * np.timedelta64(1_800, "s")


def readings(times: TimeArray, *, local: bool) -> FloatArray:
    """Two shifts, from one level to the other within the hour, and three sensors that follow."""
    hours = (times - np.datetime64(0, "us")) / np.timedelta64(1, "h")
    if local:
        hours = hours + clocks.ahead(ZoneInfo(ZONE), hours.astype(np.int64))
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(ROWS, 1)) + rng.normal(size=(ROWS, 3))
    on = (hours % 24 >= 6) & (hours % 24 < 22)
    return np.asarray(noise + on[:, np.newaxis] * [20.0, -10.0, 5.0])


def alarms(joint: JointFold, times: TimeArray, values: FloatArray) -> np.ndarray:
    _, judged = joint.judge(joint.start(), times, values)
    return np.asarray(score_of_rarity(judged.parts.sum(axis=1)) >= 0.5)


@pytest.mark.parametrize("season", CHANGES)
@pytest.mark.parametrize("local", [True, False])
def test_a_clock_that_is_changed_is_no_anomaly_by_whichever_clock_it_keeps(
    season: str, local: bool
) -> None:
    times = times_of(season)
    values = readings(times, local=local)
    assert alarms(JOINT, times, values)[CHANGE:].mean() < 0.02
    if local:
        by_utc_alone = JointFold(3, 400)
        assert alarms(by_utc_alone, times, values)[CHANGE : CHANGE + 400].mean() > 0.2


@pytest.mark.parametrize("season", CHANGES)
def test_a_machine_that_changes_when_its_clock_does_is_found_and_told(season: str) -> None:
    times = times_of(season)
    values = readings(times, local=True)
    values[CHANGE + 50 : CHANGE + 250] += [3.0, -3.0, 0.0]
    _, judged = JOINT.judge(JOINT.start(), times, values)
    odd = score_of_rarity(judged.parts.sum(axis=1)) >= 0.5
    assert odd[CHANGE + 80 : CHANGE + 250].mean() > 0.9
    row = CHANGE + 150
    told, window = judged.tell(row), slice(row - JOINT.window_rows + 1, row + 1)
    np.testing.assert_allclose(told.observed, values[window].mean(axis=0), atol=1e-9)
    assert told.observed[0] > told.high[0]


def test_it_is_judged_to_the_bit_in_any_pieces() -> None:
    times = times_of("spring")
    values = readings(times, local=True)
    _, whole = JOINT.fold(JOINT.start(), times, values)
    state, found = JOINT.start(), []
    for begin, end in pairwise((0, 401, CHANGE - 1, CHANGE, CHANGE + 3, 2_010, ROWS)):
        state, parts = JOINT.fold(loaded(dumped(state)), times[begin:end], values[begin:end])
        found.append(parts)
    np.testing.assert_array_equal(np.concatenate(found), whole)
    for cut in (CHANGE, CHANGE + 1, CHANGE + 700):
        np.testing.assert_array_equal(
            JOINT.fold(JOINT.start(), times[:cut], values[:cut])[1], whole[:cut]
        )

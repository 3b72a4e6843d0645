"""Where a machine's sensors together become an alarm: over many machines, not a picked one."""

from __future__ import annotations

import numpy as np
import pytest

from anomalies.detection_policy import DetectionPolicy
from anomalies.machines import fold
from anomalies.machines.alarms import scores_of
from anomalies.machines.grid import Era, Rows
from mlops.detectors.base import ALARM_LEVEL
from mlops.detectors.streaming.joint import JointFold
from sensors.series import FloatArray
from tests.anomalies.machines.makers import BEGIN, BROKEN, ROWS, STEP, readings

ERA = Era(BEGIN, 600, (1, 2, 3))
SEEDS = range(900, 912)


def alarms(values: FloatArray) -> np.ndarray:
    rows = Rows(BEGIN + np.arange(len(values)) * STEP, values)
    judged, _, _ = fold.fold(ERA, fold.beginning(ERA), rows)
    return np.asarray(scores_of(judged, DetectionPolicy()) >= ALARM_LEVEL)


def test_a_broken_relation_is_found_in_every_machine_and_hardly_ever_before() -> None:
    found = [alarms(readings(seed, ROWS)) for seed in SEEDS]
    assert all(each[BROKEN].any() for each in found)
    delays = [int(each[BROKEN].argmax()) for each in found]
    assert np.median(delays) <= 15
    assert max(delays) <= 50
    assert sum(each[: BROKEN.start].any() for each in found) <= 2


def test_a_long_fault_that_nobody_confirms_does_not_hide_the_next_one() -> None:
    first, second = (1500, 1850), (2300, 2450)
    found = [alarms(readings(seed, 2460, first, second)) for seed in SEEDS]
    assert np.mean([each[slice(*second)].any() for each in found]) >= 0.9


@pytest.mark.parametrize("sensors", [3, 6])
def test_a_machine_that_wanders_farther_than_any_day_held_back_is_judged_by_how_far_it_went(
    sensors: int,
) -> None:
    """Walks without any fault: once it was judged out of sample, few rows are alarms."""
    joint, early, late = JointFold(sensors, 400), [], []
    times = BEGIN + np.arange(4400) * STEP
    for seed in range(8):
        rng = np.random.default_rng([41, sensors, seed])
        walk = rng.normal(size=(4400, sensors)).cumsum(axis=0)
        values = walk * rng.uniform(0.5, 2.0, sensors) + rng.normal(size=(4400, sensors))
        _, parts = joint.fold(joint.start(), times, values)
        rarity = fold.rarity(parts)
        early.append(rarity[400:1200].mean())
        late.append(rarity[1200:].mean())
    assert np.mean(late) < 0.7 * np.mean(early)

"""Drift: a new state that lasts, told from a day's shape, from chance and from a fault."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np

from mlops import drift
from mlops.forecasting.steps import Steps
from sensors.generator import draw_behaviour, normal_values

START = np.datetime64("2026-03-01T00:00", "us")
DAYS = 35


def steps_of(seed: int) -> tuple[Steps, float]:
    """A healthy generated sensor, hourly, and its standard deviation."""
    rng = np.random.default_rng(seed)
    times = START + np.arange(DAYS * 24) * np.timedelta64(1, "h")
    values = normal_values(draw_behaviour("temperature", rng), times, rng)
    known = np.ones(len(values), dtype=bool)
    return Steps(START, 3600, values, known, ZoneInfo("UTC")), float(values.std())


def changed(steps: Steps, by: np.ndarray) -> Steps:
    values = steps.values.copy()
    values[-len(by) :] += by
    return Steps(steps.start, steps.step_s, values, steps.known, steps.zone)


def is_drift(found: drift.Compared | None) -> bool:
    assert found is not None
    return found.settled and found.psi > drift.LARGE_PSI and found.p < 0.01


def test_healthy_sensors_do_not_drift():
    """200 sensors, one false discovery in a hundred allowed."""
    found = [drift.compare(steps_of(seed)[0]) for seed in range(500, 700)]
    p = np.array([each.p for each in found if each is not None])
    large = np.array([each.psi > drift.LARGE_PSI and each.settled for each in found if each])
    assert len(p) == 200
    assert (drift.rejected(p) & large).sum() <= 2


def test_a_sensor_with_another_offset_drifts():
    drifting = 0
    for seed in range(500, 520):
        steps, spread = steps_of(seed)
        drifting += is_drift(drift.compare(changed(steps, np.full(drift.RECENT, 3 * spread))))
    assert drifting >= 19


def test_what_is_still_moving_or_scatters_is_no_drift():
    for seed in range(500, 520):
        steps, spread = steps_of(seed)
        ramp = 6 * spread * np.arange(drift.RECENT) / drift.RECENT
        wild = 8 * spread * np.random.default_rng(seed).normal(size=drift.RECENT)
        assert not is_drift(drift.compare(changed(steps, ramp)))
        assert not is_drift(drift.compare(changed(steps, wild)))


def test_too_little_is_not_judged():
    steps, _ = steps_of(1)
    assert drift.compare(steps.until(drift.RECENT + 50)) is None

"""The mean of the last seasons, and what the sensor is off from it now, fading. Pure.

For a sensor with a few days of history, where there is too little to learn more from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops.forecasting.base import AVERAGED, cycle
from mlops.forecasting.steps import Steps
from sensors.series import FloatArray

SEASONS = 7
SLOWEST = 0.99  # how much of what it is off by is left after a step, at most
FADING = 0.7  # weight of a season against the next newer one


@dataclass(frozen=True, slots=True)
class Averaged:
    name: str = AVERAGED
    fits_each: bool = False

    def fit(self, past: Steps, horizon: int) -> Mean:
        return Mean(horizon)


@dataclass(frozen=True, slots=True)
class Mean:
    horizon: int

    def forecast(self, past: Steps) -> FloatArray:
        season = past.season
        seasons = min(SEASONS, len(past) // season)
        if seasons < 2:
            return cycle(past, self.horizon)
        recent = past.values[-seasons * season :].reshape(seasons, season)
        shape = np.average(recent, axis=0, weights=FADING ** np.arange(seasons)[::-1])
        left, off = _fading((recent - shape).ravel())
        ahead = np.arange(1, self.horizon + 1)
        found: FloatArray = np.resize(shape, self.horizon) + off * left**ahead
        return found


def _fading(off: FloatArray) -> tuple[float, float]:
    """What is left of a deviation after a step, and the newest deviation with its noise smoothed.

    The slow part of the deviations is told from their noise by their correlation over one and over
    two steps: noise of single steps is in neither.
    """
    size = float(off @ off)
    if size == 0:
        return 0.0, 0.0
    one, two = float(off[1:] @ off[:-1]) / size, float(off[2:] @ off[:-2]) / size
    left = float(np.clip(two / one, 0.0, SLOWEST)) if one > 0 and two > 0 else 0.0
    if left == 0.0:
        return 0.0, 0.0
    slow = min(one / left, 1.0)  # the share of the variance that is slow
    gain = _gain(left, slow)
    level = 0.0
    for value in off:
        level = left * level + gain * (value - left * level)
    return left, level


def _gain(left: float, slow: float) -> float:
    """The steady gain of a Kalman filter for a fading level under noise."""
    noise, moved = max(1 - slow, 1e-9), slow * (1 - left**2)
    spread = moved
    for _ in range(50):
        spread = left**2 * spread * noise / (spread + noise) + moved
    return spread / (spread + noise)

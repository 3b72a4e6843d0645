"""What a forecaster is. Pure."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mlops.forecasting.steps import Steps
from sensors.series import FloatArray

SEASONAL_NAIVE, AVERAGED = "seasonal_naive", "seasonal_mean"
LINEAR, BOOSTED, ADDITIVE = "linear", "lightgbm", "prophet"


class Fitted(Protocol):
    """A forecaster that has seen a past."""

    def forecast(self, past: Steps) -> FloatArray:
        """The steps after `past`, which goes on from what was fitted: shape (horizon,)."""
        ...


class Forecaster(Protocol):
    """name: as stored; fits_each: a fit serves its own end alone, as it reads no later values."""

    @property
    def name(self) -> str: ...

    @property
    def fits_each(self) -> bool: ...

    def fit(self, past: Steps, horizon: int) -> Fitted: ...


def cycle(past: Steps, horizon: int) -> FloatArray:
    """The last season over and over: shape (horizon,); the last value where there is no season."""
    season = min(past.season, len(past))
    first = len(past) - season if season == past.season else len(past) - 1
    return np.resize(past.values[first:], horizon)


def scale_of(values: FloatArray) -> float:
    """What differences are measured in: the standard deviation of steps; 1 where nothing moves.

    >>> scale_of(np.array([3.0, 3.0, 3.0]))
    1.0
    """
    if len(values) < 2:
        return 1.0
    return float(np.std(np.diff(values))) or 1.0

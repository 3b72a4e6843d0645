"""Each step ahead as a linear function of a window of the past, by ridge regression. Pure.

Window and target are taken relative to the newest value, so a shift of the level moves the forecast
with it. Source: Zeng et al. (2023), "Are Transformers Effective for Time Series Forecasting?",
NLinear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mlops.feature_sets import FeatureSet
from mlops.forecasting.base import LINEAR, cycle
from mlops.forecasting.steps import Steps
from sensors.series import FloatArray

SEASONS = 14
# What a registered one reads, newest last: hours before the first step ahead, less the newest.
WINDOW = FeatureSet("forecast-window", tuple(f"before_{h}" for h in range(SEASONS * 24, 0, -1)))
MOST_SAMPLES = 20_000
# Ridge penalties as shares of the mean eigenvalue; the newest fifth of the samples chooses.
PENALTIES = 10.0 ** np.arange(-5, 3)
CHECK_SHARE = 0.2
FEWEST_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Linear:
    """seasons: most seasons that the window holds; a short past gets a shorter one."""

    seasons: int = SEASONS
    name: str = LINEAR
    fits_each: bool = False

    def fit(self, past: Steps, horizon: int) -> Weights:
        window = max(1, min(self.seasons * past.season, (len(past) - horizon) // 3))
        rows = sliding_window_view(past.values, window + horizon)[-MOST_SAMPLES:]
        if len(past) < window + horizon + FEWEST_SAMPLES:
            return Weights(None, window, horizon)
        X, Y = rows[:, :window], rows[:, window:]
        last = X[:, -1:]
        return Weights(_ridge(X - last, Y - last, horizon), window, horizon)


@dataclass(frozen=True, slots=True)
class Weights:
    """matrix: shape (window, horizon); None where the past was too short to learn from."""

    matrix: FloatArray | None
    window: int
    horizon: int

    def forecast(self, past: Steps) -> FloatArray:
        if self.matrix is None or len(past) < self.window:
            return cycle(past, self.horizon)
        recent, last = past.values[-self.window :], past.values[-1]
        found: FloatArray = last + (recent - last) @ self.matrix
        return found


def _ridge(X: FloatArray, Y: FloatArray, horizon: int) -> FloatArray:
    """The weights by the penalty that does best on the newest samples, fitted on all of them.

    The samples that overlap with those are left out where it is chosen.
    """
    check = max(1, int(len(X) * CHECK_SHARE))
    older = len(X) - check - horizon
    penalty = PENALTIES[-3]
    if older >= FEWEST_SAMPLES:
        paths = _weights(X[:older], Y[:older], PENALTIES)
        losses = [np.mean((Y[-check:] - X[-check:] @ path) ** 2) for path in paths]
        penalty = PENALTIES[int(np.argmin(losses))]
    return _weights(X, Y, np.full(1, penalty))[0]


def _weights(
    X: FloatArray, Y: FloatArray, penalties: NDArray[np.floating[Any]]
) -> list[FloatArray]:
    """Ridge solutions for several penalties from one decomposition."""
    values, vectors = np.linalg.eigh(X.T @ X)
    turned = vectors.T @ (X.T @ Y)
    mean = max(float(values.mean()), np.finfo(float).tiny)
    values = np.maximum(values, 0.0)[:, None]
    return [vectors @ (turned / (values + penalty * mean)) for penalty in penalties]

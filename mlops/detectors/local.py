"""The third rung: the statistical rung's levels, moved to what one sensor usually does. Pure.

A sensor whose healthy readings jump, lean or repeat more than others' is given more room before it
alarms, a calmer one less; within bounds, since a few hundred rows of one sensor say little about
what happens once in ten thousand.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from mlops.detectors.base import normalised
from mlops.features import FEATURES, NOTABLE
from sensors.series import FloatArray

MIN_HISTORY_ROWS = 120
_USUAL_SHARE = 0.99  # of the rows; the farthest may be faults nobody labelled
_MARGIN = 1.5  # an alarm is this far beyond what is usual
_LEAST, _MOST = 0.85, 1.5  # of the statistical rung's level


class Local:
    """Fitted in microseconds, deterministic, never stored."""

    name = "local"
    features_ = FEATURES

    def fit(self, X: FloatArray) -> Self:
        """X: shape (n, d), oldest first, n >= MIN_HISTORY_ROWS; ValueError with fewer."""
        if len(X) < MIN_HISTORY_ROWS:
            raise ValueError(f"{len(X)} rows of history; a local model needs {MIN_HISTORY_ROWS}")
        common = np.array([NOTABLE[name] for name in FEATURES])
        own = _MARGIN * np.quantile(np.abs(X), _USUAL_SHARE, axis=0)
        self.levels_ = np.clip(own, _LEAST * common, _MOST * common)
        return self

    def score(self, X: FloatArray) -> FloatArray:
        largest = self._ratios(X).max(axis=1)
        return np.asarray(largest / (1.0 + largest))

    def contributions(self, X: FloatArray) -> FloatArray:
        return normalised(self._ratios(X) ** 2)

    def _ratios(self, X: FloatArray) -> FloatArray:
        return np.asarray(np.abs(X) / self.levels_)


def fit_local(X_history: FloatArray) -> Local:
    """A detector for the sensor whose clean, past rows these are (n, d), oldest first."""
    return Local().fit(X_history)

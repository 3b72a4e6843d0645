"""The second rung: each feature against a fixed level, the sensor's own history its scale. Pure."""

from __future__ import annotations

from typing import Self

import numpy as np

from mlops.detectors.base import normalised
from mlops.features import FEATURES
from sensors.series import FloatArray

# The feature's value that scores 0.5. Robust units have heavier tails than the normal law, and a
# daily cycle is wider than its own median deviation: hence far more than three.
ALARM_AT: dict[str, float] = {
    "z": 5.0,
    "level": 4.0,
    "novelty": 6.0,
    "spike": 10.0,
    "spread": 2.6,
    "slope": 12.0,
    "season": 7.0,
    "season_level": 3.0,
    "flat": 2.8,
    "gap": 3.5,
    "rhythm": 0.5,
}


class Statistical:
    """Needs no fit: the largest feature in units of its alarm level decides.

    >>> usual, odd = np.zeros((1, len(FEATURES))), np.full((1, len(FEATURES)), 20.0)
    >>> Statistical().score(np.vstack([usual, odd])) >= 0.5
    array([False,  True])
    """

    name = "statistical"
    features_ = FEATURES

    def fit(self, X: FloatArray) -> Self:
        return self

    def score(self, X: FloatArray) -> FloatArray:
        largest = _ratios(X).max(axis=1)
        return np.asarray(largest / (1.0 + largest))

    def contributions(self, X: FloatArray) -> FloatArray:
        return normalised(_ratios(X) ** 2)


def _ratios(X: FloatArray) -> FloatArray:
    return np.asarray(np.abs(X) / np.array([ALARM_AT[name] for name in FEATURES]))

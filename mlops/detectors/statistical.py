"""The second rung: robust features, each against the value at which it is notable. Pure."""

from __future__ import annotations

from typing import Self

import numpy as np

from mlops.detectors.base import normalised
from mlops.features import FEATURES, NOTABLE
from sensors.series import FloatArray


class Statistical:
    """Needs no fit: the largest feature in units of its notable value decides.

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
    return np.asarray(np.abs(X) / np.array([NOTABLE[name] for name in FEATURES]))

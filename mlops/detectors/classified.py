"""A classifier that was shown faults, as a detector: its alarm threshold becomes 0.5. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import lightgbm
import numpy as np

from mlops.detectors.base import occlusion
from mlops.features import FEATURES
from sensors.series import FloatArray

_LEAST = 1e-6  # of a probability and of its complement, so that its logarithm exists


@dataclass(slots=True)
class Classified:
    """model: a fitted scikit-learn classifier, or a LightGBM booster; threshold in (0, 1)."""

    name: str
    model: Any
    threshold: float = 0.5
    features_: tuple[str, ...] = FEATURES

    def fit(self, X: FloatArray) -> Self:
        raise TypeError(f"{self.name} learns from labels; fit its model before it is wrapped")

    def probability(self, X: FloatArray) -> FloatArray:
        """Of a fault, shape (n,)."""
        if not len(X):
            return np.zeros(0)
        if isinstance(self.model, lightgbm.Booster):
            return np.asarray(self.model.predict(X, num_threads=1), dtype=float)
        return np.asarray(self.model.predict_proba(X)[:, 1], dtype=float)

    def score(self, X: FloatArray) -> FloatArray:
        p, t = self.probability(X), self.threshold
        return np.asarray(p * (1 - t) / (p * (1 - t) + t * (1 - p)))

    def contributions(self, X: FloatArray) -> FloatArray:
        return occlusion(self._log_odds, X)

    def _log_odds(self, X: FloatArray) -> FloatArray:
        p = np.clip(self.probability(X), _LEAST, 1 - _LEAST)
        return np.asarray(np.log(p / (1 - p)))

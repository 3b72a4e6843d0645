"""The third rung: a small model of one sensor's own recent clean history. Pure."""

from __future__ import annotations

from typing import Self

from mlops.detectors.base import Tail, occlusion, score_of_rarity, split_in_time
from mlops.detectors.compress import Compress
from mlops.detectors.mahalanobis import Mahalanobis
from mlops.features import FEATURES
from sensors.series import FloatArray

MIN_HISTORY_ROWS = 120


class Local:
    """Mahalanobis distance on one sensor; fitted in milliseconds, deterministic, never stored."""

    name = "local"
    features_ = FEATURES

    def fit(self, X: FloatArray) -> Self:
        """X: shape (n, d), oldest first, n >= MIN_HISTORY_ROWS; ValueError with fewer."""
        if len(X) < MIN_HISTORY_ROWS:
            raise ValueError(f"{len(X)} rows of history; a local model needs {MIN_HISTORY_ROWS}")
        self.scale_ = Compress().fit(X)
        older, newer = split_in_time(self.scale_.transform(X))
        self.model_ = Mahalanobis().fit(older)
        self.tail_ = Tail.learn(self.model_.distance(newer))
        return self

    def score(self, X: FloatArray) -> FloatArray:
        return score_of_rarity(self.tail_.rarity(self._distance(X)))

    def contributions(self, X: FloatArray) -> FloatArray:
        return occlusion(self._distance, X)

    def _distance(self, X: FloatArray) -> FloatArray:
        return self.model_.distance(self.scale_.transform(X))


def fit_local(X_history: FloatArray) -> Local:
    """A detector for the sensor whose clean, past rows these are (n, d), oldest first."""
    return Local().fit(X_history)

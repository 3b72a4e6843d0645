"""Distance from the usual rows with their covariance shrunk (Ledoit-Wolf). Pure.

Source: Ledoit & Wolf (2004), A well-conditioned estimator for large-dimensional covariance
matrices.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.covariance import LedoitWolf

from sensors.series import FloatArray

_FLOOR = 0.3  # a feature that hardly ever moves in the history still has some width
KEPT = 0.975  # of the rows; the farthest may be faults nobody labelled, and are fitted without


class Mahalanobis(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Squared distance per feature, so that it grows as the log of a normal tail does."""

    def __init__(self, kept: float = KEPT) -> None:
        self.kept = kept

    def fit(self, X: FloatArray, y: object = None) -> Self:
        self._fit_once(X)
        distance = self._distance(X)
        self._fit_once(X[distance <= np.quantile(distance, self.kept)])
        return self

    def distance(self, X: FloatArray) -> FloatArray:
        """Shape (n,); a row's distance does not depend on the rows beside it, to the bit."""
        return self._distance(X)

    def score_samples(self, X: FloatArray) -> FloatArray:
        """Shape (n,), lower is rarer, as scikit-learn has it."""
        return -self._distance(X)

    def _fit_once(self, X: FloatArray) -> None:
        self.centre_ = np.median(X, axis=0)
        self.width_ = np.maximum(X.std(axis=0), _FLOOR)
        covariance = LedoitWolf(assume_centered=True).fit((X - self.centre_) / self.width_)
        self.whitening_ = np.linalg.cholesky(covariance.precision_)

    def _distance(self, X: FloatArray) -> FloatArray:
        return ordered_distance((X - self.centre_) / self.width_, self.whitening_)


def ordered_distance(centred: FloatArray, whitening: FloatArray) -> FloatArray:
    """Length of each row, shape (n, d), after whitening, shape (d, d); sums in a fixed order.

    A matrix product rounds differently for other batch sizes.
    """
    total = np.zeros(len(centred))
    for column in whitening.T:
        part = np.zeros(len(centred))
        for feature, weight in enumerate(column):
            part += centred[:, feature] * weight
        total += part * part
    return np.asarray(np.sqrt(total))

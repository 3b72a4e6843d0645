"""A health index that moves slowly: the exponentially weighted mean of one column. Pure.

Roberts (1959), the EWMA control chart: small lasting shifts show, single snapshots do not.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator

from sensors.series import FloatArray


class HealthIndex(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Nothing is learnt but how many columns there are: each bearing's own first day, which the
    columns are measured against, takes the place of learning.

    >>> HealthIndex(column=0, weight=0.5).fit(np.zeros((1, 1))).predict(np.array([[4.0], [4.0]]))
    array([2., 3.])
    """

    def __init__(self, column: int, weight: float = 0.1) -> None:
        self.column = column
        self.weight = weight

    def fit(self, X: FloatArray, y: object = None) -> Self:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: FloatArray) -> FloatArray:
        """X: one bearing's rows in order, from its first. Shape (n,)."""
        index, found = 0.0, np.zeros(len(X))
        for row, value in enumerate(X[:, self.column]):
            index += self.weight * (float(value) - index)
            found[row] = index
        return found

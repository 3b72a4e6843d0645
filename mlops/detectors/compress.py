"""Features on a scale on which all of them can be compared, and heavy tails are lighter. Pure."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from mlops.features import FEATURES, NOTABLE
from sensors.series import FloatArray


class Compress(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Linear near 0, logarithmic far out; a feature at its notable value becomes ±1.

    >>> Compress().fit_transform(np.array([list(NOTABLE.values())]))[0, :3]
    array([1., 1., 1.])
    """

    def fit(self, X: FloatArray, y: object = None) -> Self:
        self.scale_ = np.arcsinh([NOTABLE[name] for name in FEATURES])
        return self

    def transform(self, X: FloatArray) -> FloatArray:
        return np.asarray(np.arcsinh(X) / self.scale_)

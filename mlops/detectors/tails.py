"""The rarest single feature decides: a tail probability for each, then Bonferroni. Pure.

An IsolationForest is weak where only one of many features is extreme, which is what most faults
look like at first; this one is strong there and blind to joint oddities.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator

from mlops.detectors.base import ALARM_RARITY, SEEN_MARGIN, rare_share
from sensors.series import FloatArray

_SHARE = 0.02  # of the rows, to each side; what is rarer is extrapolated
# Where a feature alarms, 1 being where it is notable by itself; higher only if it has been there.
_LEAST, _MOST = 0.85, 1.0
_NARROWEST = 0.02  # decade


class Tails(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Both sides of each feature: an empirical quantile, and an exponential tail beyond it.

    A tail extrapolated from a few hundred rows is a guess: it alarms where the feature is notable,
    or somewhat earlier, unless rows that it was fitted on have been there without being rare.
    """

    def __init__(self, share: float = _SHARE) -> None:
        self.share = share

    def fit(self, X: FloatArray, y: object = None) -> Self:
        both = _both_sides(X)
        self.edge_ = np.quantile(both, 1 - self.share, axis=0)
        inner = np.quantile(both, 1 - 5 * self.share, axis=0)
        # From a fifth of the rarity to all of it the tail took this long for log10(5) decades.
        decade = (self.edge_ - inner) / np.log10(5.0)
        beyond = ALARM_RARITY + np.log10(self.share)  # decades from the edge to an alarm
        seen = SEEN_MARGIN * np.quantile(both, 1 - rare_share(len(both)), axis=0)
        alarm = np.clip(self.edge_ + beyond * decade, _LEAST, np.maximum(_MOST, seen))
        self.decade_ = np.maximum((alarm - self.edge_) / beyond, _NARROWEST)
        return self

    def rarity(self, X: FloatArray) -> FloatArray:
        """-log10 of each feature's tail probability: shape (n, d); 0 within the edges."""
        beyond = np.maximum(_both_sides(X) - self.edge_, 0.0) / self.decade_
        rarity = np.where(beyond > 0, beyond - np.log10(self.share), 0.0)
        return np.maximum(rarity[:, : X.shape[1]], rarity[:, X.shape[1] :])

    def score_samples(self, X: FloatArray) -> FloatArray:
        """Shape (n,), lower is rarer, as scikit-learn has it."""
        return -np.asarray(self.rarity(X).max(axis=1))


def _both_sides(X: FloatArray) -> FloatArray:
    return np.concatenate([X, -X], axis=1)

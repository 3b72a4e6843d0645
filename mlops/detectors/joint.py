"""The joint behaviour of a machine's sensors: how far their recent means are from usual. Pure.

A fault that moves four sensors a little is plain to see in their joint distance and in none of them
alone. Three things make that distance hold beyond the rows it was fitted on:

- **A sensor is judged against a reference as steady as itself.** The variance of a trailing mean
  over that of single rows says which share of a sensor's movement is slow wandering (1 for a random
  walk, 0 for white noise). Of a steady sensor the level counts; of a wandering one, such as the
  temperature of a tank, the change against its own mean a while ago.
- **What is known from few independent rows is believed less.** Deviations become normal scores
  through a Student t with as many degrees of freedom as the sensor has independent rows.
- **What is usual is measured on rows left out.** Each quarter of the fitting rows is judged by a
  fit of the other three; the alarm begins where such held-back distances would come once in two
  stretches as long as that.

Sources: Ledoit & Wolf (2004) for the covariance; the variance-ratio statistic is Lo & MacKinlay's
(1988); block cross-validation of dependent data, Burman, Chow & Nolan (1994).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.covariance import LedoitWolf

from mlops.detectors.base import ALARM_RARITY, normalised, score_of_rarity
from mlops.detectors.mahalanobis import ordered_distance
from sensors.series import FloatArray

MIN_FIT_ROWS = 120
WINDOWS = 20  # trailing means that fit side by side into the fitting rows
REFERENCES = 4  # and reference stretches
FOLDS = 4
# Held-back distances that large come once in this many stretches as long as the fitting rows.
STRETCHES_PER_ALARM = 2
# -log10 of a held-back tail probability on the scale of the other detectors, whose alarm begins at
# ALARM_RARITY.
RARITY_A_DECADE = ALARM_RARITY / float(np.log10(WINDOWS * STRETCHES_PER_ALARM))
_STILL = 1e-9  # of a sensor's magnitude; one that never moved has this much width
_LEAST_FREEDOM = 1.5
BAND = 2.0  # deviations of what is expected, to each side


@dataclass(frozen=True, slots=True)
class Usual:
    """What one fit learnt; arrays of shape (k,) for k sensors, `whitening` (k, k)."""

    centre: FloatArray
    width: FloatArray
    wandering: FloatArray
    offset: FloatArray
    spread: FloatArray
    freedom: FloatArray
    whitening: FloatArray


class Joint:
    """One machine's sensors on one time grid; `score` needs `context_rows_` rows before the first.

    directions: shape (k,); 1 where only a rise is a fault, -1 where only a fall is, 0 for both;
    None is 0 for all.
    """

    name = "joint"

    def __init__(self, directions: FloatArray | None = None) -> None:
        self.directions = directions

    def fit(
        self, X: FloatArray, chosen: NDArray[np.bool_] | None = None, stretch: int | None = None
    ) -> Self:
        """X: shape (n, k), oldest first, NaN for what is missing.

        chosen: shape (n,), the rows known to be normal, at least MIN_FIT_ROWS; all if None.
        stretch: rows that the windows are fractions of; n if None. Raises ValueError with too few
        rows that are chosen and complete.
        """
        rows = np.ones(len(X), dtype=bool) if chosen is None else chosen
        complete = int((rows & ~np.isnan(X).any(axis=1)).sum())
        if complete < MIN_FIT_ROWS:
            raise ValueError(f"{complete} complete rows; a joint model needs {MIN_FIT_ROWS}")
        self._set_lengths(stretch or len(X))
        self.usual_ = self._usual(X, rows)
        held_back = np.log(self._held_back(X, rows))
        self.log_mean_, self.log_sd_ = float(held_back.mean()), float(held_back.std())
        return self

    @classmethod
    def restored(cls, fit_rows: int, usual: Usual, log_mean: float, log_sd: float) -> Self:
        """What a fit to `fit_rows` rows had learnt, without the rows."""
        model = cls()
        model._set_lengths(fit_rows)
        model.usual_, model.log_mean_, model.log_sd_ = usual, log_mean, log_sd
        return model

    def distance(self, X: FloatArray, besides: FloatArray | None = None) -> FloatArray:
        """Shape (n,), above 0; NaN in the first rows, which lack context.

        besides: shape (n, k), in the sensors' units, what is taken off the trailing means and not
        off the means a while ago that wandering ones are measured from.
        """
        return self._distance(X, self.usual_, besides=besides)

    def rarity(self, X: FloatArray, besides: FloatArray | None = None) -> FloatArray:
        """Shape (n,), not negative; ALARM_RARITY and above is an alarm, 0 where context lacks."""
        return self.rarity_of(self.distance(X, besides))

    def rarity_of(self, distance: FloatArray) -> FloatArray:
        """Shape (n,); as `rarity`, of distances."""
        far = (np.log(distance) - self.log_mean_) / (self.log_sd_ + _STILL)
        rarity = -norm.logsf(far) / np.log(10.0)
        return np.asarray(np.nan_to_num(rarity * RARITY_A_DECADE, nan=0.0))

    def score(self, X: FloatArray) -> FloatArray:
        """Shape (n,), in [0, 1); ALARM_LEVEL and above is an alarm, 0 where context lacks."""
        return score_of_rarity(self.rarity(X))

    def contributions(self, X: FloatArray, besides: FloatArray | None = None) -> FloatArray:
        """Shape (n, k), not negative, each row sums to 1: which sensors the distance is owed to.

        The squared distance is a sum over the sensors of what each deviates times what it deviates
        given the others; a sensor that brings it back towards usual has no part in it.
        """
        scores = np.nan_to_num(self._normal_scores(X, self.usual_, besides=besides))
        return normalised(np.maximum(scores * self._given_others(scores), 0.0))

    def expected(
        self, X: FloatArray, besides: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Two of shape (n, k), in the sensors' units: between which each trailing mean was to be
        expected, given those of the other sensors."""
        usual = self.usual_
        scores = np.nan_to_num(self._normal_scores(X, usual, both_ways=True, besides=besides))
        precision = np.einsum("ij,ij->i", usual.whitening, usual.whitening)
        middle = scores - self._given_others(scores) / precision
        half = BAND / np.sqrt(precision)
        low, high = self._in_units(X, middle - half), self._in_units(X, middle + half)
        return (low, high) if besides is None else (low + besides, high + besides)

    def observed(self, X: FloatArray) -> FloatArray:
        """Shape (n, k), in the sensors' units: the trailing means that were judged."""
        return trailing_mean(X, self.window_)

    def _given_others(self, scores: FloatArray) -> FloatArray:
        """Normal scores times the precision matrix, in a fixed order; shape as given."""
        whitening, found = self.usual_.whitening, np.zeros_like(scores)
        for column in whitening.T:
            part = np.zeros(len(scores))
            for sensor, weight in enumerate(column):
                part += scores[:, sensor] * weight
            found += part[:, np.newaxis] * column
        return found

    def _in_units(self, X: FloatArray, scores: FloatArray) -> FloatArray:
        """The trailing means that would have had these normal scores."""
        usual = self.usual_
        t = np.sign(scores) * np.sqrt(
            usual.freedom * np.expm1(scores * scores / (usual.freedom + 1))
        )
        moved = t * usual.spread + usual.offset
        reference = self._reference(self._standardised(X, usual))
        return np.asarray((moved + usual.wandering * reference) * usual.width + usual.centre)

    def _set_lengths(self, fit_rows: int) -> None:
        self.window_ = fit_rows // WINDOWS
        self.reference_ = fit_rows // REFERENCES
        self.context_rows_ = self.window_ + 2 * self.reference_

    def _usual(self, X: FloatArray, chosen: NDArray[np.bool_]) -> Usual:
        """Learn from the chosen rows, shape (n,) of bool; the others still serve as context."""
        centre = np.nanmean(X[chosen], axis=0)
        width = np.nanstd(X[chosen], axis=0) + _STILL * (1.0 + np.abs(centre))
        Z = (X - centre) / width
        means = trailing_mean(Z, self.window_)
        settled = chosen & (np.arange(len(X)) >= self.window_)
        ratio = (
            np.nanvar(means[settled], axis=0)
            * self.window_
            / (np.nanvar(Z[chosen], axis=0) + _STILL)
        )
        wandering = np.clip((ratio - 1) / (self.window_ - 1), 0.0, 1.0)
        moved = means - wandering * self._reference(Z)
        judged = settled & (np.arange(len(X)) >= self.window_ + self.reference_)
        independent = chosen.sum() / np.maximum(ratio, 1.0)
        usual = Usual(
            centre=centre,
            width=width,
            wandering=wandering,
            offset=np.nanmean(moved[judged], axis=0),
            spread=(np.nanstd(moved[judged], axis=0) + _STILL) * np.sqrt(1 + 1 / independent),
            freedom=np.maximum(independent, _LEAST_FREEDOM),
            whitening=np.eye(X.shape[1]),
        )
        scores = self._normal_scores(X, usual, both_ways=True)[judged]
        scores = scores[~np.isnan(scores).any(axis=1)]
        covariance = LedoitWolf(assume_centered=True).fit(scores)
        return replace(usual, whitening=np.linalg.cholesky(covariance.precision_))

    def _held_back(self, X: FloatArray, chosen: NDArray[np.bool_]) -> FloatArray:
        """Distances of the chosen rows to both sides, each by a fit of the other folds."""
        first, rows = self.window_ + self.reference_, np.arange(len(X))
        usable = rows[chosen & (rows >= first)]
        distances = []
        for fold in np.array_split(usable, FOLDS):
            # A trailing mean just after the fold still contains rows of it.
            others = (rows < fold[0] - self.window_) | (rows > fold[-1] + self.window_)
            usual = self._usual(X, others & chosen)
            distances.append(self._distance(X, usual, both_ways=True)[fold])
        joined = np.concatenate(distances)
        return joined[np.isfinite(joined)]

    def _distance(
        self,
        X: FloatArray,
        usual: Usual,
        *,
        both_ways: bool = False,
        besides: FloatArray | None = None,
    ) -> FloatArray:
        scores = self._normal_scores(X, usual, both_ways=both_ways, besides=besides)
        distance = ordered_distance(np.nan_to_num(scores), usual.whitening)
        # A sensor that says nothing adds nothing; where all are silent nothing is known.
        return np.where(np.isnan(scores).all(axis=1), np.nan, distance + _STILL)

    def _normal_scores(
        self,
        X: FloatArray,
        usual: Usual,
        *,
        both_ways: bool = False,
        besides: FloatArray | None = None,
    ) -> FloatArray:
        Z = self._standardised(X, usual)
        moved = trailing_mean(Z, self.window_) - usual.wandering * self._reference(Z)
        if besides is not None:
            moved = moved - besides / usual.width
        t = (moved - usual.offset) / usual.spread
        scores = np.sign(t) * np.sqrt((usual.freedom + 1) * np.log1p(t * t / usual.freedom))
        if self.directions is None or both_ways:
            return np.asarray(scores)
        wrong_way = scores * self.directions < 0
        return np.where(wrong_way, 0.0, scores)

    def _standardised(self, X: FloatArray, usual: Usual) -> FloatArray:
        return np.asarray((X - usual.centre) / usual.width)

    def _reference(self, Z: FloatArray) -> FloatArray:
        """The trailing mean as it was one reference stretch ago; 0, the centre, before that."""
        means = trailing_mean(Z, self.reference_)
        earlier = np.zeros_like(Z)
        earlier[self.reference_ :] = means[: -self.reference_ or None]
        return np.nan_to_num(earlier)


def trailing_mean(X: FloatArray, window: int) -> FloatArray:
    """Mean of the known values among the last `window` rows, itself included: shape (n, k).

    NaN where fewer than half of the rows so far, or of the window, are known. Rows are added in a
    fixed order, so a row's mean has the same bits whatever stands before or after its window.

    >>> trailing_mean(np.array([[1.0], [3.0], [np.nan], [7.0]]), 2).ravel()
    array([1., 2., 3., 7.])
    """
    known = ~np.isnan(X)
    values = np.where(known, X, 0.0)
    total, count = np.zeros_like(values), np.zeros_like(values)
    for back in range(min(window, len(X)) - 1, -1, -1):
        total[back:] += values[: len(X) - back]
        count[back:] += known[: len(X) - back]
    rows = np.minimum(np.arange(1, len(X) + 1), window)[:, None]
    means = np.full(X.shape, np.nan)
    return np.asarray(np.divide(total, count, out=means, where=count * 2 >= rows))

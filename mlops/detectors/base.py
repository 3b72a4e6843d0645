"""What every detector promises, and how a rarity becomes a score. Pure.

One convention: a score is in [0, 1), higher is rarer, and ALARM_LEVEL is where an alarm begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from sensors.series import FloatArray

ALARM_LEVEL = 0.5
ALARM_RARITY = 4.0  # -log10 of the tail probability that scores ALARM_LEVEL
RARE_POWER, SEEN_MARGIN = 0.75, 1.05
TAIL_SHARE = 0.1  # of the calibration rows; what is rarer is extrapolated
_TOGETHER = 512  # rows that are explained by one call: memory is to be bounded


class Detector(Protocol):
    """Rows of features in, scores out; a score is a function of its own row and nothing else."""

    name: str
    features_: tuple[str, ...]

    def fit(self, X: FloatArray) -> Self: ...

    def score(self, X: FloatArray) -> FloatArray:
        """Shape (n,), in [0, 1); ALARM_LEVEL and above is an alarm."""
        ...

    def contributions(self, X: FloatArray) -> FloatArray:
        """Shape (n, d), not negative, each row sums to 1: which features the score is owed to."""
        ...


def score_of_rarity(rarity: FloatArray) -> FloatArray:
    """-log10 of a tail probability as a score: never saturates, and keeps the order.

    >>> score_of_rarity(np.array([0.0, 4.0, 12.0]))
    array([0.  , 0.5 , 0.75])
    """
    return np.asarray(rarity / (rarity + ALARM_RARITY))


def rare_share(rows: int) -> float:
    """The rarest share of so many rows of which anything can be said.

    >>> rare_share(10_000)
    0.001
    """
    return float(rows**-RARE_POWER)


@dataclass(frozen=True, slots=True)
class Tail:
    """How rare a raw distance is, learnt on rows that the distance was not fitted on.

    knots and rarities: shape (k,), the empirical part; beyond the last knot the tail is exponential
    and falls by a factor of ten every `decade` raw units.
    """

    knots: FloatArray
    rarities: FloatArray
    decade: float

    @classmethod
    def learn(cls, raw: FloatArray) -> Tail:
        """From calibration distances, shape (n,), n >= 20; ValueError with fewer.

        The slope of the tail is taken from its median, not its mean: faults nobody labelled may be
        among the calibration rows, and the largest distances are theirs.
        """
        if len(raw) < 20:
            raise ValueError(f"{len(raw)} calibration rows; a tail needs at least 20")
        exceeded = np.array([1.0, 0.75, 0.5, 0.25, TAIL_SHARE])
        knots = np.maximum.accumulate(np.quantile(raw, 1 - exceeded))
        excess = raw[raw > knots[-1]] - knots[-1]
        typical = float(np.median(excess)) / np.log(2) if len(excess) else 0.0
        floor = 1e-3 * float(knots[-1] - knots[0]) + 1e-9
        return cls(knots, -np.log10(exceeded), float(max(typical, floor) * np.log(10)))

    @classmethod
    def stated(cls, raw: FloatArray) -> Tail:
        """For a distance that is a rarity by itself, from calibration distances as for `learn`.

        A few hundred rows cannot say what happens once in ten thousand: they are believed where
        they say that it happens more often, by what once in n ** RARE_POWER of them was.
        """
        often = float(np.quantile(raw, 1 - rare_share(len(raw)))) if len(raw) else 0.0
        factor = max(1.0, SEEN_MARGIN * often / ALARM_RARITY)
        return cls(np.array([0.0, ALARM_RARITY * factor]), np.array([0.0, ALARM_RARITY]), factor)

    def rarity(self, raw: FloatArray) -> FloatArray:
        """-log10 of the probability of a distance as large as that; shape as given."""
        beyond = np.maximum(raw - self.knots[-1], 0.0) / self.decade
        return np.asarray(np.interp(raw, self.knots, self.rarities) + beyond)


def normalised(parts: FloatArray) -> FloatArray:
    """Rows of non-negative parts as shares that sum to 1; equal shares where all parts are 0.

    >>> normalised(np.array([[1.0, 3.0], [0.0, 0.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    # Laid out so, a row's sum has one order, whichever rows stand beside it.
    total = np.ascontiguousarray(parts).sum(axis=1, keepdims=True)
    even = np.full(parts.shape, 1.0 / parts.shape[1])
    return np.asarray(np.divide(parts, total, out=even, where=total > 0))


def occlusion(distance: Callable[[FloatArray], FloatArray], X: FloatArray) -> FloatArray:
    """Share of each feature in a distance, for any model whose distance is each row's alone.

    A feature counts by what the distance loses when it alone is set to usual (0), and by what it
    gains when all others are: the former alone would say nothing of two that are equally extreme.
    """
    parts = [_moved(distance, X[row : row + _TOGETHER]) for row in range(0, len(X), _TOGETHER)]
    return normalised(np.concatenate([np.zeros((0, X.shape[1])), *parts]))


def _moved(distance: Callable[[FloatArray], FloatArray], X: FloatArray) -> FloatArray:
    """By how much each feature moves the distance of its row, (n, d), by one call."""
    n, d = X.shape
    each = np.arange(d)
    without, alone = np.repeat(X[None], d, axis=0), np.zeros((d, n, d))
    without[each, :, each] = 0.0
    alone[each, :, each] = X.T
    rows = np.concatenate([X, np.zeros((1, d)), *without, *alone])
    raw, usual, rest, own = np.split(distance(rows), [n, n + 1, n + 1 + n * d])
    lost = np.maximum(raw - rest.reshape(d, n), 0.0)
    gained = np.maximum(own.reshape(d, n) - usual, 0.0)
    return np.asarray((lost + gained).T)

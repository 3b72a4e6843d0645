"""Rows of a machine that were judged, and what was to be expected of each. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.joint import Joint
from mlops.detectors.streaming.daily import IntArray
from sensors.series import FloatArray


@dataclass(frozen=True, slots=True)
class Told:
    """Of one row, in the sensors' units, shape (k,): the trailing means that were judged, and
    between what they were to be expected given the other sensors. NaN of a sensor not judged."""

    observed: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fit with what it judged. X: shape (n, k), the rows without their season, of which the first
    `context` are context; season: shape (n, k), what is usual at that time of day; besides: shape
    (n, k), what is taken off the trailing means as well. others: the same with another season;
    chosen: shape (n - context,), which of these judged a row, 0 is itself."""

    model: Joint
    X: FloatArray
    season: FloatArray
    context: int
    others: tuple[Fitted, ...] = ()
    chosen: IntArray | None = None
    besides: FloatArray | None = None

    def distance(self) -> FloatArray:
        """Shape (n - context,)."""
        return self.model.distance(self.X, self.besides)[self.context :]

    def shares(self) -> FloatArray:
        """Shape (n - context, k)."""
        return self.model.contributions(self.X, self.besides)[self.context :]

    def of(self, row: int) -> Fitted:
        """What judged a row after the context."""
        number = 0 if self.chosen is None else int(self.chosen[row])
        return self.others[number - 1] if number else self

    def up_to(self, rows: int) -> Fitted:
        """Of the first rows after the context."""
        end, others = self.context + rows, tuple(other.up_to(rows) for other in self.others)
        besides = None if self.besides is None else self.besides[:end]
        return replace(
            self, X=self.X[:end], season=self.season[:end], others=others, besides=besides
        )


@dataclass(slots=True)
class Nearest:
    """The fit by which each row is least far, with its distance, (n,), and its shares, (n, k)."""

    fit: Fitted
    distance: FloatArray
    shares: FloatArray

    @property
    def rarity(self) -> FloatArray:
        return self.fit.model.rarity_of(self.distance)

    def consider(self, other: Fitted, rows: NDArray[np.bool_], least: float = np.inf) -> None:
        """Another one, for these rows, shape (n,), where it finds them less rare than `least`."""
        found = other.distance()
        nearer = rows & (found < self.distance) & (other.model.rarity_of(found) < least)
        if not nearer.any():
            return
        chosen = np.zeros(len(rows), np.int64) if self.fit.chosen is None else self.fit.chosen
        others = (*self.fit.others, other)
        self.fit = replace(self.fit, others=others, chosen=np.where(nearer, len(others), chosen))
        self.distance = np.where(nearer, found, self.distance)
        self.shares = np.where(nearer[:, np.newaxis], other.shares(), self.shares)


@dataclass(frozen=True, slots=True)
class Judgement:
    """parts: shape (n, k), how rare each row is by each sensor (see JointFold.fold).

    fits: of each fit, from which row on it judged.
    """

    parts: FloatArray
    fits: tuple[tuple[int, Fitted], ...]

    def tell(self, row: int) -> Told:
        """What was seen and expected at a row that was judged. Raises LookupError for others."""
        fit, rows = self._window(row)
        besides = None if fit.besides is None else fit.besides[rows]
        low, high = fit.model.expected(fit.X[rows], besides)
        observed = fit.model.observed(fit.X[rows])
        season = fit.model.observed(fit.season[rows])[-1]
        return Told(observed[-1] + season, low[-1] + season, high[-1] + season)

    def digest(self, row: int) -> str:
        """SHA-256 over the rows that a judged row was judged with. Raises LookupError."""
        fit, rows = self._window(row)
        return sha256(np.ascontiguousarray(fit.X[rows], "<f8").tobytes()).hexdigest()

    def _window(self, row: int) -> tuple[Fitted, slice]:
        for first, fit in reversed(self.fits):
            if first <= row < first + len(fit.X) - fit.context:
                at = fit.context + row - first
                rows = slice(max(0, at - fit.model.context_rows_), at + 1)
                return fit.of(row - first), rows
        raise LookupError(f"row {row} was learnt from, not judged")

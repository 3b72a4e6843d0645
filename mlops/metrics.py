"""How good a detector is, from labels it did not see. Pure.

Event-level and without point adjustment: a fault counts once, however many of its readings are
flagged, and flagging one of them does not credit the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.series import FloatArray

Rows = tuple[int, int]  # first and last, both included


@dataclass(frozen=True, slots=True)
class Counts:
    """Events, not readings."""

    found: int
    missed: int
    false_alarms: int

    @property
    def precision(self) -> float:
        """Of what was alarmed, the share that was a fault; 0 when nothing was alarmed.

        >>> Counts(found=3, missed=1, false_alarms=1).precision
        0.75
        """
        alarms = self.found + self.false_alarms
        return self.found / alarms if alarms else 0.0

    @property
    def recall(self) -> float:
        faults = self.found + self.missed
        return self.found / faults if faults else 0.0

    @property
    def f1(self) -> float:
        total = 2 * self.found + self.missed + self.false_alarms
        return 2 * self.found / total if total else 0.0


def episodes(is_alarm: NDArray[np.bool_], gap: int) -> list[Rows]:
    """Alarmed rows, shape (n,), as stretches; those at most `gap` rows apart are one.

    >>> episodes(np.array([0, 1, 1, 0, 1, 0, 0, 0, 1], dtype=bool), gap=2)
    [(1, 4), (8, 8)]
    """
    rows = np.flatnonzero(is_alarm)
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) > gap)
    firsts, lasts = rows[np.r_[0, breaks + 1]], rows[np.r_[breaks, len(rows) - 1]]
    return [(int(a), int(b)) for a, b in zip(firsts, lasts, strict=True)]


def by_overlap(alarms: Sequence[Rows], faults: Sequence[Rows]) -> Counts:
    """A fault is found when an alarm overlaps it; an alarm is false when it overlaps none.

    >>> by_overlap([(4, 6), (20, 21)], [(5, 9), (12, 15)])
    Counts(found=1, missed=1, false_alarms=1)
    """
    found = sum(any(_overlap(alarm, fault) for alarm in alarms) for fault in faults)
    false = sum(not any(_overlap(alarm, fault) for fault in faults) for alarm in alarms)
    return Counts(found, len(faults) - found, false)


def _overlap(a: Rows, b: Rows) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


def at_level(scores: FloatArray, is_fault: NDArray[np.bool_], level: float) -> Counts:
    """Events given by their highest score, shape (n,), against an alarm level."""
    alarmed = scores >= level
    found = int((alarmed & is_fault).sum())
    return Counts(found, int(is_fault.sum()) - found, int((alarmed & ~is_fault).sum()))


def average_precision(scores: FloatArray, is_fault: NDArray[np.bool_]) -> float:
    """Area under precision over recall as a step function; events of equal score move together.

    Returns 0 without any fault.

    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])).__round__(3)
    0.833
    """
    if not is_fault.any():
        return 0.0
    levels = np.unique(scores)[::-1]
    counts = [at_level(scores, is_fault, level) for level in levels]
    recalls = np.array([0.0, *(each.recall for each in counts)])
    return float(np.sum(np.diff(recalls) * np.array([each.precision for each in counts])))


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    n: int,
    *,
    rng: np.random.Generator,
    draws: int = 200,
    level: float = 0.9,
) -> tuple[float, float]:
    """The central `level` interval of a statistic of row numbers 0..n-1 drawn with replacement.

    Draws of which the statistic is NaN are left out; (nan, nan) for n = 0 and where half are.
    """
    values = np.array([statistic(rng.integers(0, n, n)) for _ in range(draws)] if n else [])
    known = values[~np.isnan(values)]
    if len(known) <= draws / 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

"""Areas under precision over recall, row by row and with tolerant edges, of many streams. Pure.

The edges of a label are seldom certain to the row. A buffer of w rows lets rows before and after a
fault count in part, less the farther they are; the volume is the mean of the areas for buffers from
0 to a widest one. Recall counts besides which faults were touched. Nothing is point-adjusted.
Source: Paparrizos et al. (2022), Volume Under the Surface, PVLDB 15(11); trapezia, and the label's
buffer, as in the authors' code.

What is summed is kept for each block of rows, so that a bootstrap of blocks only sums again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.metrics import Rows
from sensors.series import FloatArray

MOST_LEVELS = 400
MOST_WIDTHS = 17

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rated:
    """One stream. scores, blocks: shape (n,), the latter numbered through all streams; faults:
    first and last row of each, in order and apart."""

    scores: FloatArray
    faults: tuple[Rows, ...]
    blocks: IntArray


@dataclass(frozen=True, slots=True)
class Surface:
    """Sums of b blocks at t falling levels and k widths, of which the first is 0.

    hits (b, k, t): flagged label; touched (b, k, t), faults (b, k): label's runs; flagged (b, t);
    label (b, k): of all rows.
    """

    hits: FloatArray
    touched: FloatArray
    faults: FloatArray
    flagged: FloatArray
    label: FloatArray

    @classmethod
    def of(cls, streams: Sequence[Rated], blocks: int, widest: int) -> Surface:
        """widest: buffer in rows, 0 for none."""
        levels = levels_of(np.concatenate([stream.scores for stream in streams]))
        widths = np.unique(np.linspace(0, widest, MOST_WIDTHS).astype(int))
        shape = (blocks, len(widths), len(levels))
        surface = cls(
            hits=np.zeros(shape),
            touched=np.zeros(shape),
            faults=np.zeros(shape[:2]),
            flagged=np.zeros((blocks, len(levels))),
            label=np.zeros(shape[:2]),
        )
        for stream in streams:
            surface._add(stream, levels, widths)
        for sums in (surface.hits, surface.touched, surface.flagged):
            np.cumsum(sums, axis=-1, out=sums)
        return surface

    def _add(self, stream: Rated, levels: FloatArray, widths: IntArray) -> None:
        """Each row and run at the first level that flags it; the sums over levels come last."""
        place = np.searchsorted(-levels, -stream.scores)
        np.add.at(self.flagged, (stream.blocks, place), 1.0)
        for at, width in enumerate(widths):
            label = buffered(len(stream.scores), stream.faults, int(width))
            np.add.at(self.hits[:, at], (stream.blocks, place), label)
            np.add.at(self.label[:, at], stream.blocks, label)
            for first, last in runs(label > 0):
                block = stream.blocks[(first + last) // 2]
                self.faults[block, at] += 1
                self.touched[block, at, place[first : last + 1].min()] += 1

    def average_precision(self, weights: FloatArray) -> float:
        """Without buffer, as a step function; weights: how often each block counts, shape (b,)."""
        hits, flagged = weights @ self.hits[:, 0], weights @ self.flagged
        positives = weights @ self.label[:, 0]
        if positives == 0:
            return float("nan")
        gained = np.diff(hits, prepend=0.0) / positives
        return float((gained * hits / np.maximum(flagged, 1.0)).sum())

    def volume(self, weights: FloatArray) -> float:
        """VUS-PR; NaN without a fault."""
        faults, label = weights @ self.faults, weights @ self.label
        if faults[0] == 0:
            return float("nan")
        hits, touched = (np.tensordot(weights, each, 1) for each in (self.hits, self.touched))
        positives = (label + label[0]) / 2
        recall = np.minimum(hits / positives[:, None], 1.0) * touched / faults[:, None]
        precision = hits / np.maximum(weights @ self.flagged, 1.0)
        before = np.concatenate([np.ones((len(precision), 1)), precision[:, :-1]], axis=1)
        return float((np.diff(recall, prepend=0.0) * (precision + before) / 2).sum(axis=1).mean())


def levels_of(scores: FloatArray) -> FloatArray:
    """Falling scores at which to look: all, or where they are many, more of them near the top.

    >>> levels_of(np.array([0.1, 0.9, 0.1]))
    array([0.9, 0.1])
    """
    falling = np.sort(scores)[::-1]
    if len(np.unique(falling)) > MOST_LEVELS:
        half, last = MOST_LEVELS // 2, len(falling) - 1
        ranks = np.concatenate([np.geomspace(1, last, half), np.linspace(0, last, half)])
        falling = falling[np.unique(ranks.astype(int))]
    return np.unique(falling)[::-1]


def buffered(rows: int, faults: Sequence[Rows], width: int) -> FloatArray:
    """The label of each row, shape (rows,): 1 in a fault, less within width // 2 rows of one.

    >>> buffered(7, [(3, 4)], 4).round(3)
    array([0.   , 0.707, 0.866, 1.   , 1.   , 0.866, 0.   ])
    """
    label = np.zeros(rows)
    for first, last in faults:
        label[first : last + 1] = 1.0
        before = np.arange(max(first - width // 2, 0), first)
        after = np.arange(last + 1, min(last + width // 2, rows))
        label[before] += np.sqrt(1 - (first - before) / max(width, 1))
        label[after] += np.sqrt(1 - (after - last) / max(width, 1))
    return np.minimum(label, 1.0)


def runs(is_in: NDArray[np.bool_]) -> list[Rows]:
    """First and last row of each run.

    >>> runs(np.array([1, 1, 0, 1], dtype=bool))
    [(0, 1), (3, 3)]
    """
    edges = np.diff(is_in.astype(np.int8), prepend=0, append=0)
    firsts, lasts = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return [(int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]

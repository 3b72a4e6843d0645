"""The core as production runs it: from a checkpoint on, leaving checkpoints behind. Pure.

Row numbers count the readings of a sensor from its first, in event order. Checkpoints stand at
multiples of STEP_ROWS: between two of them a state is computed again, which is cheaper than to
store it for each reading. They get rarer towards the past, so that a stream has few of them however
long it is, and a late reading folds again about as many readings as came after it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.streaming.contract import FORMAT, State
from mlops.detectors.streaming.core import Core, Judged
from sensors.series import FloatArray, Series, TimeArray

BoolArray = NDArray[np.bool_]

CORE = Core()
STEP_ROWS = 256
GROWTH = 4  # of the distance between checkpoints, from one level to the next
KEPT_A_LEVEL = 2
# Raise it when the same state and reading give another score than before.
REVISION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state after the first `rows` readings, of which the last was at `time`.

    aside: within a confirmed fault, the state that knows its readings too. They are judged by it
    and it is dropped behind the fault. What has one is passed on and never kept.
    """

    rows: int
    time: np.datetime64
    state: State
    aside: State | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """What the core says of n rows, the state after them, and the checkpoints among them."""

    judged: Judged
    end: Checkpoint
    checkpoints: tuple[Checkpoint, ...]


def beginning() -> Checkpoint:
    """Of a stream of which nothing was read."""
    return Checkpoint(0, np.datetime64("0001-01-01", "us"), CORE.start())


@cache
def version(core: Core = CORE) -> str:
    """Names the detector that a state belongs to: what it is made of and how that is kept."""
    layout = [(name, array.shape, array.dtype.str) for name, array in core.start().items()]
    return sha256(repr((REVISION, FORMAT, core, layout)).encode()).hexdigest()[:12]


def kept(rows: int) -> frozenset[int]:
    """The row numbers at which a stream of so many rows keeps a checkpoint.

    >>> sorted(kept(5000))
    [3072, 4096, 4608, 4864]
    """
    found, size = set(), STEP_ROWS
    while size <= rows:
        newest = rows // size * size
        found |= {newest - back * size for back in range(KEPT_A_LEVEL)}
        size *= GROWTH
    return frozenset(row for row in found if row > 0)


def fold(
    start: Checkpoint, series: Series, faulty: BoolArray | None = None, core: Core = CORE
) -> Folded:
    """The readings after `start`, in event order: shape (n,).

    faulty: shape (n,), those of confirmed faults, None without any: judged, and not learnt from.
    """
    stops = {row for row in kept(start.rows + len(series)) if row > start.rows}
    at, checkpoints, found = start, [], []
    for begin, end in pairwise(edges(start, stops, faulty, len(series))):
        is_fault = faulty is not None and end > begin and bool(faulty[begin])
        at, judged = _piece(at, series[begin:end], is_fault, core)
        found.append(judged)
        if end > begin and at.rows in stops and at.aside is None:
            checkpoints.append(at)
    return Folded(_joined(found), at, tuple(checkpoints))


def edges(start: Checkpoint, stops: Collection[int], faulty: BoolArray | None, n: int) -> list[int]:
    """Where a new piece begins: at checkpoints, and where a fault begins and ends."""
    turns = [] if faulty is None else (np.flatnonzero(faulty[1:] != faulty[:-1]) + 1).tolist()
    return [0, *sorted({*turns, *(row - start.rows for row in stops)} - {0, n}), n]


def _piece(at: Checkpoint, part: Series, is_fault: bool, core: Core) -> tuple[Checkpoint, Judged]:
    last = part.times[-1] if len(part) else at.time
    rows = at.rows + len(part)
    if is_fault:
        aside, judged = core.fold(at.aside or at.state, part.times, part.values)
        return Checkpoint(rows, last, at.state, aside), judged
    state, judged = core.fold(at.state, part.times, part.values)
    return Checkpoint(rows, last, state, None if len(part) else at.aside), judged


def rarity(judged: Judged, core: Core = CORE) -> FloatArray:
    """-log10 of one tail probability a row, of those of the views: shape (n,)."""
    return core.views.combined(judged.rarities)


def tail(judged: Judged, first: int) -> Judged:
    """The rows from `first` on."""
    return Judged(judged.scores[first:], judged.rarities[first:])


def _joined(parts: Sequence[Judged]) -> Judged:
    return Judged(
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.rarities for part in parts]),
    )


def after(series: Series, time: np.datetime64) -> Series:
    """The readings later than `time`."""
    return series[int(np.searchsorted(_micros(series.times), time, side="right")) :]


def _micros(times: TimeArray) -> TimeArray:
    return times.astype("datetime64[us]")

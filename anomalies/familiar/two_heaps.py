"""Whether levels fall into two heaps with nothing in between, for many windows of a past. Pure.

Levels are sorted once; a window picks its own from them in that order. Compiled, because windows
that move on by a reading share nearly all of their levels and nothing of their outcome.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sensors.series import FloatArray
from smartmaint.lib.compiled import compiled

IntArray = NDArray[np.int64]

QUIET = 0.2  # of the whole range at most: what a run or an hour moves when it stands for a mode
RUN_ROWS = 3
FEWEST, SHARE = 6, 0.05  # runs and hours, and their share, that each mode has at least
GAP = 0.4  # of the distance between the modes is empty, at least
STAYS = 4  # lower, upper, lower, upper: it went there, came back, and went again


@compiled
def split_each(
    means: FloatArray, ranges: FloatArray, order: IntArray, spans: IntArray
) -> FloatArray:
    """The levels up to which the lower heap of each window reaches and from which the upper one
    does, shape (k, 2); NaN where there are not two, or it was in each only once.

    means, ranges: where each hour, and behind the hours each run of readings, lies and how far it
    moves, in order of time, shape (n,); order: sorts the means. spans: shape (k, 4), each window's
    first hour, the one after its last, its first run, the one after its last.
    """
    found = np.full((len(spans), 2), np.nan)
    levels = np.empty(len(means))
    for i in range(len(spans)):
        own = spans[i]
        if max(own[1] - own[0], 0) + max(own[3] - own[2], 0) < 2 * FEWEST:
            continue
        quiet = QUIET * _range(means, order, own)
        count = 0
        for j in order:
            if _is_of(own, j) and ranges[j] <= quiet:
                levels[count] = means[j]
                count += 1
        lower, upper = _split(levels[:count])
        by_hour = _stays(means, ranges, own[0], own[1], quiet, upper, 1)
        by_run = _stays(means, ranges, own[2], own[3], quiet, upper, RUN_ROWS)
        if max(by_hour, by_run) >= STAYS:
            found[i, 0], found[i, 1] = lower, upper
    return found


@compiled
def _is_of(own: IntArray, j: int) -> bool:
    return bool(own[0] <= j < own[1] or own[2] <= j < own[3])


@compiled
def _range(means: FloatArray, order: IntArray, own: IntArray) -> float:
    """From the least to the most of a window's means; it has some."""
    first, last = 0, len(order) - 1
    while not _is_of(own, order[first]):
        first += 1
    while not _is_of(own, order[last]):
        last -= 1
    return float(means[order[last]] - means[order[first]])


@compiled
def _split(ordered: FloatArray) -> tuple[float, float]:
    """Between two heaps of sorted levels, with room to either side; NaN where there are not two."""
    n = len(ordered)
    fewest = max(FEWEST, math.ceil(SHARE * n))
    if n < 2 * fewest:
        return np.nan, np.nan
    place, gap = 0, -1.0
    for i in range(fewest, n - fewest + 1):
        if ordered[i] - ordered[i - 1] > gap:
            place, gap = i, ordered[i] - ordered[i - 1]
    apart = _middle(ordered[place:]) - _middle(ordered[:place])
    if gap < GAP * apart or gap <= 0:
        return np.nan, np.nan
    return ordered[place - 1] + gap / 4, ordered[place] - gap / 4


@compiled
def _middle(ordered: FloatArray) -> float:
    half = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[half])
    return float((ordered[half - 1] + ordered[half]) / 2)


@compiled
def _stays(
    means: FloatArray,
    ranges: FloatArray,
    first: int,
    stop: int,
    quiet: float,
    upper: float,
    shortest: int,
) -> int:
    """How many stays of at least so many there are among those of first..stop-1 that are quiet,
    each in another heap than the one before; 0 where `upper` is NaN."""
    stays, newest, now, length = 0, -1, -1, 0
    for j in range(first, stop if not np.isnan(upper) else first):
        if ranges[j] > quiet:
            continue
        heap = 1 if means[j] >= upper else 0
        length = length + 1 if heap == now else 1
        now = heap
        if length == shortest and heap != newest:
            stays, newest = stays + 1, heap
    return stays

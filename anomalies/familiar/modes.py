"""The two levels of a sensor whose machine starts and stops, learnt from its past. Pure.

Hours and short runs of readings that hardly move fall into two heaps with nothing in between; the
machine was in each of them more than once. Then a reading is compared with those of its own mode,
and what lies within a few readings of a change of mode, such as a start, is not judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sensors.series import FloatArray, TimeArray

LOWER, UPPER, CHANGING = 0, 1, 2
ModeArray = NDArray[np.int8]

QUIET = 0.2  # of the whole range at most: what a run or an hour moves when it stands for a mode
RUN_ROWS = 3
FEWEST, SHARE = 6, 0.05  # runs and hours, and their share, that each mode has at least
GAP = 0.4  # of the distance between the modes is empty, at least
STAYS = 4  # lower, upper, lower, upper: it went there, came back, and went again
AT_REST, RUNS = 0.15, 0.5  # of the usual level
SETTLING_ROWS, SETTLING_US = 3, 120_000_000


@dataclass(frozen=True, slots=True)
class Modes:
    """Readings up to `lower` are in the lower mode, from `upper` on in the upper one; those between
    stay in the mode they were in. In the sensor's unit."""

    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Heaps:
    """Stretches of a sensor's past, oldest first: where each lies and how far it moves; (n,)."""

    means: FloatArray
    ranges: FloatArray

    @classmethod
    def of_runs(cls, values: FloatArray) -> Heaps:
        """Of readings, oldest first: every RUN_ROWS that follow each other."""
        if len(values) < RUN_ROWS:
            return cls(np.zeros(0), np.zeros(0))
        runs = sliding_window_view(values, RUN_ROWS)
        return cls(np.median(runs, axis=1), runs.max(axis=1) - runs.min(axis=1))

    def within(self, first: int, stop: int) -> Heaps:
        """Of the runs of readings, those of the readings first..stop-1."""
        rows = slice(first, max(first, stop - RUN_ROWS + 1))
        return Heaps(self.means[rows], self.ranges[rows])

    def quiet(self, whole: float) -> FloatArray:
        return self.means[self.ranges <= QUIET * whole]


def learn(hours: Heaps, runs: Heaps) -> Modes | None:
    """The two modes of a past; None where it has one, or where it was in each only once.

    >>> cycles = np.tile(np.repeat([0.3, 12.0], 12), 4) + np.tile([0.0, 0.1], 48)
    >>> learn(Heaps(np.zeros(0), np.zeros(0)), Heaps.of_runs(cycles)).upper > 6
    True
    >>> learn(Heaps(np.zeros(0), np.zeros(0)), Heaps.of_runs(np.arange(100.0))) is None
    True
    """
    every = np.concatenate([hours.means, runs.means])
    if len(every) < 2 * FEWEST:
        return None
    whole = float(every.max() - every.min())
    by_hour, by_run = hours.quiet(whole), runs.quiet(whole)
    found = _split(np.sort(np.concatenate([by_hour, by_run])))
    if found is None or max(_stays(by_hour, found, 1), _stays(by_run, found, RUN_ROWS)) < STAYS:
        return None
    return found


def at_rest(usual: float) -> Modes:
    """Of a sensor that reads next to nothing while its machine stands, before it was seen to.

    usual: its level while the machine runs, above 0.
    """
    return Modes(AT_REST * usual, RUNS * usual)


def modes_at(times: TimeArray, values: FloatArray, modes: Modes) -> ModeArray:
    """The mode of each reading by those up to it, shape (n,); CHANGING shortly after a change."""
    n = len(values)
    decided = (values <= modes.lower) | (values >= modes.upper)
    newest = np.maximum.accumulate(np.where(decided, np.arange(n), -1))
    upper = np.where(newest >= 0, values[newest] >= modes.upper, True)
    changed = np.zeros(n, bool)
    changed[1:] = upper[1:] != upper[:-1]
    since = np.maximum.accumulate(np.where(changed, np.arange(n), -SETTLING_ROWS))
    micros = times.astype("datetime64[us]").astype(np.int64)
    settling = np.arange(n) - since < SETTLING_ROWS
    settling |= (since >= 0) & (micros - micros[np.maximum(since, 0)] < SETTLING_US)
    return np.where(settling, CHANGING, np.where(upper, UPPER, LOWER)).astype(np.int8)


def _split(ordered: FloatArray) -> Modes | None:
    """Between two heaps of sorted levels, with room to either side; None where there are not two"""
    fewest = max(FEWEST, int(np.ceil(SHARE * len(ordered))))
    if len(ordered) < 2 * fewest:
        return None
    gaps = np.diff(ordered)[fewest - 1 : len(ordered) - fewest]
    place = int(np.argmax(gaps)) + fewest
    below, above, gap = ordered[:place], ordered[place:], float(ordered[place] - ordered[place - 1])
    if gap < GAP * float(np.median(above) - np.median(below)) or gap <= 0:
        return None
    return Modes(float(below[-1]) + gap / 4, float(above[0]) - gap / 4)


def _stays(levels: FloatArray, modes: Modes, shortest: int) -> int:
    """How many stays of at least so many there are, each in another mode than the one before."""
    if not len(levels):
        return 0
    upper = levels >= modes.upper
    edges = np.flatnonzero(np.concatenate([[True], upper[1:] != upper[:-1], [True]]))
    long = np.diff(edges) >= shortest
    kept = upper[edges[:-1]][long]
    return int(np.count_nonzero(kept[1:] != kept[:-1]) + 1) if len(kept) else 0

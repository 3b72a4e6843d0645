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

from anomalies.familiar import two_heaps
from sensors.series import FloatArray, TimeArray

LOWER, UPPER, CHANGING = 0, 1, 2
ModeArray = NDArray[np.int8]
IntArray = NDArray[np.int64]

RUN_ROWS = two_heaps.RUN_ROWS
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


def learn(hours: Heaps, runs: Heaps) -> Modes | None:
    """The two modes of a past; None where it has one, or where it was in each only once.

    >>> cycles = np.tile(np.repeat([0.3, 12.0], 12), 4) + np.tile([0.0, 0.1], 48)
    >>> learn(Heaps(np.zeros(0), np.zeros(0)), Heaps.of_runs(cycles)).upper > 6
    True
    >>> learn(Heaps(np.zeros(0), np.zeros(0)), Heaps.of_runs(np.arange(100.0))) is None
    True
    """
    return learn_each(hours, runs, np.array([[0, len(hours.means), 0, len(runs.means)]]))[0]


def learn_each(hours: Heaps, runs: Heaps, spans: IntArray) -> list[Modes | None]:
    """The same of many pasts of one sensor, each a stretch of its hours and one of its runs.

    spans: shape (k, 4), first and last but one hour, first and last but one run of each.
    """
    means = np.concatenate([hours.means, runs.means])
    ranges = np.concatenate([hours.ranges, runs.ranges])
    own = spans + np.array([0, 0, len(hours.means), len(hours.means)])
    order = np.argsort(means, kind="stable")
    return [
        None if np.isnan(lower) else Modes(lower, upper)
        for lower, upper in two_heaps.split_each(means, ranges, order, own).tolist()
    ]


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

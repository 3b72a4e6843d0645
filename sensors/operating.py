"""In which state a machine is at some times: the state that was tagged last before each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.series import TimeArray

RUNNING, STARTING, OFF = 0, 1, 2
CODES = {"running": RUNNING, "starting": STARTING, "off": OFF}
NAMES = {code: name for name, code in CODES.items()}
StateArray = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Interval:
    """A tagged state from `start` on; until `end` (exclusive), or until another is tagged."""

    state: int
    start: np.datetime64
    end: np.datetime64 | None


def states_at(times: TimeArray, intervals: Sequence[Interval]) -> StateArray:
    """State of each time, shape (n,): of the interval that began last, RUNNING where there is none.

    times: ascending. Of intervals that begin at once the later in the sequence counts.

    >>> times = np.array(["2026-01-01T00", "2026-01-01T01", "2026-01-01T02"], "datetime64[us]")
    >>> states_at(times, [Interval(OFF, times[1], None), Interval(STARTING, times[2], None)])
    array([0, 2, 1], dtype=int8)
    """
    states = np.full(len(times), RUNNING, np.int8)
    for one in sorted(intervals, key=lambda interval: interval.start):
        first = int(np.searchsorted(times, one.start))
        stop = len(times) if one.end is None else int(np.searchsorted(times, one.end))
        states[first:stop] = one.state
    return states


def ran_throughout(
    begins: TimeArray, length: np.timedelta64, intervals: Sequence[Interval]
) -> NDArray[np.bool_]:
    """Whether it ran all the time in each span of that length; begins: ascending, shape (n,).

    >>> hours = np.array(["2026-01-01T00", "2026-01-01T01", "2026-01-01T02"], "datetime64[us]")
    >>> off = Interval(OFF, hours[0] + np.timedelta64(90, "m"), hours[2])
    >>> ran_throughout(hours, np.timedelta64(1, "h"), [off])
    array([ True, False,  True])
    """
    ran = states_at(begins, intervals) == RUNNING
    for one in intervals:
        if one.state != RUNNING:
            ran &= ~((begins <= one.start) & (one.start < begins + length))
    return np.asarray(ran)

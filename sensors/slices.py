"""How a chart's range is cut into slices, and slices put together from finer buckets. Pure.

Times are microseconds from 1970 in UTC, as int64; a range holds its first microsecond and not the
one it ends with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensors.series import FloatArray

IntArray = NDArray[np.int64]
Range = tuple[int, int]

MINUTE_US = 60_000_000
# Slices are whole buckets of a level, so their number may fall short of what was asked for. A level
# that falls shorter than this makes way for the next finer one.
ENOUGH = 0.75


class Level(Enum):
    """What slices are put together from; the value is how an answer names it."""

    READINGS = "readings"
    MINUTE = "minute"
    HOUR = "hour"

    @property
    def us(self) -> int:
        """Width of a bucket."""
        return {Level.READINGS: 1, Level.MINUTE: MINUTE_US, Level.HOUR: 60 * MINUTE_US}[self]


@dataclass(frozen=True, slots=True)
class Plan:
    """Slices of `width` from `anchor` on, put together from buckets of `level`."""

    level: Level
    anchor: int
    width: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """What is known of stretches that have readings, arrays of shape (n,); begins: when each does;
    minimum, maximum and mean in the sensor's unit."""

    begins: IntArray
    minimum: FloatArray
    maximum: FloatArray
    mean: FloatArray
    count: IntArray

    def __len__(self) -> int:
        return len(self.begins)

    def take(self, rows: NDArray[Any]) -> Buckets:
        return Buckets(
            self.begins[rows],
            self.minimum[rows],
            self.maximum[rows],
            self.mean[rows],
            self.count[rows],
        )


def plan(since: int, until: int, limit: int, finest: Level) -> Plan:
    """At most `limit` slices of since <= time < until, from the coarsest level that gives enough.

    finest: no finer level is there for this range.

    >>> plan(0, 30 * 1440 * MINUTE_US, 1000, Level.READINGS)
    Plan(level=<Level.MINUTE: 'minute'>, anchor=0, width=2640000000)
    """
    for level in (Level.HOUR, Level.MINUTE, Level.READINGS):
        anchor = since // level.us * level.us
        width = -(-(until - anchor) // (limit * level.us)) * level.us
        slices = -(-(until - anchor) // width)
        if level is finest or level is Level.READINGS or slices >= ENOUGH * limit:
            return Plan(level, anchor, width)
    raise AssertionError("unreachable: the finest level is taken whatever it gives")


def joined(ranges: Iterable[Range]) -> list[Range]:
    """The same microseconds, each in one range, sorted; empty ranges left out.

    >>> joined([(5, 7), (0, 3), (3, 4), (9, 9)])
    [(0, 4), (5, 7)]
    """
    found: list[Range] = []
    for begin, end in sorted(ranges):
        if begin >= end:
            continue
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def outside(begins: IntArray, ranges: list[Range]) -> NDArray[np.bool_]:
    """Which of these lie in none of the joined ranges."""
    if not ranges:
        return np.ones(len(begins), dtype=bool)
    first, end = np.array(ranges, dtype=np.int64).T
    place = np.searchsorted(first, begins, side="right") - 1
    is_outside: NDArray[np.bool_] = (place < 0) | (begins >= end[place])
    return is_outside


def combined(parts: Iterable[Buckets], plan: Plan) -> Buckets:
    """One bucket a slice that has readings, oldest first; no reading is in two of the parts."""
    found = list(parts)
    whole = Buckets(*(np.concatenate([getattr(p, name) for p in found]) for name in _FIELDS))
    if not len(whole):
        return whole
    place = (whole.begins - plan.anchor) // plan.width
    order = np.argsort(place, kind="stable")
    whole, place = whole.take(order), place[order]
    starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
    count = np.add.reduceat(whole.count, starts)
    return Buckets(
        begins=plan.anchor + place[starts] * plan.width,
        minimum=np.minimum.reduceat(whole.minimum, starts),
        maximum=np.maximum.reduceat(whole.maximum, starts),
        mean=np.add.reduceat(whole.mean * whole.count, starts) / count,
        count=count,
    )


_FIELDS = ("begins", "minimum", "maximum", "mean", "count")

"""Stretches of minutes of several sensors: joined, cut to a budget, split into hours. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensors.minutes import MINUTES_PER_HOUR, BoolArray, IntArray, Minutes, floor_to_hour

# Apart enough to hold any minute between the years 1 and 9999 for each sensor.
_PER_SENSOR = 1 << 34


@dataclass(frozen=True, slots=True)
class Windows:
    """since <= minute < until, minutes counted from 1970; arrays of shape (n,)."""

    sensor_ids: IntArray
    since: IntArray
    until: IntArray

    def __len__(self) -> int:
        return len(self.since)

    @property
    def length(self) -> int:
        """Minutes in all of them."""
        return int((self.until - self.since).sum())

    def take(self, rows: NDArray[Any]) -> Windows:
        return Windows(self.sensor_ids[rows], self.since[rows], self.until[rows])

    def from_on(self, first: IntArray) -> Windows:
        """Without what lies before `first`, of shape (n,)."""
        since = np.maximum(self.since, first)
        return Windows(self.sensor_ids, since, self.until).take(since < self.until)

    def in_whole_hours(self, before: IntArray) -> Windows:
        """Each edge that lies before `before`, of shape (n,), moved out to its hour's edge."""
        until = -floor_to_hour(-self.until)
        return Windows(
            self.sensor_ids,
            np.where(self.since < before, floor_to_hour(self.since), self.since),
            np.where(self.until < before, until, self.until),
        )

    def joined(self) -> Windows:
        """The same minutes, each in one window only; sorted by (sensor, since).

        >>> w = Windows(np.array([7, 7, 8]), np.array([3, 0, 1]), np.array([5, 3, 2])).joined()
        >>> w.sensor_ids.tolist(), w.since.tolist(), w.until.tolist()
        ([7, 8], [0, 1], [5, 2])
        """
        if not len(self):
            return self
        ordered = self.take(np.lexsort((self.since, self.sensor_ids)))
        place = np.unique(ordered.sensor_ids, return_inverse=True)[1] * _PER_SENSOR
        reach = np.maximum.accumulate(place + ordered.until)
        is_first = np.r_[True, (place + ordered.since)[1:] > reach[:-1]]
        starts = np.flatnonzero(is_first)
        ends = np.r_[starts[1:], len(ordered)] - 1
        return Windows(ordered.sensor_ids[starts], ordered.since[starts], (reach - place)[ends])

    def cut(self, minutes: int) -> tuple[Windows, Windows]:
        """The first so many minutes of them or a few less, cut at a full hour, and the rest."""
        lengths = self.until - self.since
        edge = self.since + np.clip(minutes - (np.cumsum(lengths) - lengths), 0, lengths)
        at_hour = np.maximum(floor_to_hour(edge), self.since)
        return self._split(np.where(edge < self.until, at_hour, edge))

    def cut_at(self, sensor_id: int, minute: int) -> tuple[Windows, Windows]:
        """What comes before (sensor, minute) in the order of (sensor, time), and the rest."""
        edge = np.where(self.sensor_ids < sensor_id, self.until, self.since)
        here = self.sensor_ids == sensor_id
        edge[here] = np.clip(minute, self.since[here], self.until[here])
        return self._split(edge)

    def _split(self, edge: IntArray) -> tuple[Windows, Windows]:
        before = Windows(self.sensor_ids, self.since, edge)
        after = Windows(self.sensor_ids, edge, self.until)
        return before.take(self.since < edge), after.take(edge < self.until)

    def hours(self) -> tuple[IntArray, IntArray]:
        """Sensor and first minute of each hour that they touch, once, sorted."""
        first = floor_to_hour(self.since)
        counts = -(-(self.until - first) // MINUTES_PER_HOUR)
        begins = np.cumsum(counts) - counts
        steps = np.arange(int(counts.sum())) - np.repeat(begins, counts)
        hours = np.repeat(first, counts) + MINUTES_PER_HOUR * steps
        pairs = np.unique(np.stack([np.repeat(self.sensor_ids, counts), hours]), axis=1)
        return pairs[0], pairs[1]

    def cover(self, minutes: Minutes) -> BoolArray:
        """Which of these minutes lie in a window; the windows are joined."""
        sensors = np.unique(np.concatenate([self.sensor_ids, minutes.sensor_ids]))

        def number(ids: IntArray, at: IntArray) -> IntArray:
            return np.searchsorted(sensors, ids) * _PER_SENSOR + at

        if not len(self):
            return np.zeros(len(minutes), dtype=bool)
        at = number(minutes.sensor_ids, minutes.records["minute"].astype(np.int64))
        place = np.searchsorted(number(self.sensor_ids, self.since), at, side="right") - 1
        ends = number(self.sensor_ids, self.until)
        covered: BoolArray = (place >= 0) & (at < ends[place])
        return covered

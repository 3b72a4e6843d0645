"""Minutes and hours of readings: what is kept of each, and how an hour's minutes are packed. Pure.

A minute is a function of its readings and an hour of its minutes, each computed anew and never
added to, so late, shuffled and repeated readings end in the same numbers as a clean run.
Minutes are counted from 1970 in UTC, as int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensors.quality import Flag
from sensors.series import FloatArray, TimeArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MINUTES_PER_HOUR = 60
# A batch that jumps further than this notes the stretches before and after by themselves, so that
# one late reading does not have all the time between recomputed.
LONGEST_GAP = np.timedelta64(1, "h")

# 44 bytes: an hour of them and its row's header fit three times into a page of PostgreSQL.
MINUTE = np.dtype([
    ("minute", "<i4"), ("count", "<u4"), ("minimum", "<f8"), ("maximum", "<f8"), ("mean", "<f8"),
    ("last", "<f8"), ("quality", "<f4"),
])  # fmt: skip
_COUNT = np.dtype("<u4")
_BITS = np.arange(len(Flag), dtype=np.int16)


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minutes that have readings, sorted by (sensor, minute).

    sensor_ids: (n,); records: (n,) of MINUTE, values in the sensor's unit, `last` by event time;
    flags: (n, number of flags), how many readings have each, in the order of quality.Flag.
    """

    sensor_ids: IntArray
    records: NDArray[Any]
    flags: NDArray[np.uint32]

    @classmethod
    def none(cls) -> Minutes:
        return cls(np.zeros(0, np.int64), np.zeros(0, MINUTE), np.zeros((0, len(Flag)), np.uint32))

    def __len__(self) -> int:
        return len(self.records)

    @property
    def hours(self) -> IntArray:
        """The first minute of the hour that each lies in."""
        return floor_to_hour(self.records["minute"].astype(np.int64))

    def take(self, rows: NDArray[Any]) -> Minutes:
        return Minutes(self.sensor_ids[rows], self.records[rows], self.flags[rows])

    def joined(self, other: Minutes) -> Minutes:
        """These and those, none of which are in both."""
        ids = np.concatenate([self.sensor_ids, other.sensor_ids])
        records = np.concatenate([self.records, other.records])
        flags = np.concatenate([self.flags, other.flags])
        return Minutes(ids, records, flags).take(np.lexsort((records["minute"], ids)))


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours that have readings, sorted by (sensor, hour); arrays of shape (n,), flags (n, flags).

    hours: the minute that each begins with. starts: where its minutes begin among those it was
    computed from.
    """

    sensor_ids: IntArray
    hours: IntArray
    counts: IntArray
    minimum: FloatArray
    maximum: FloatArray
    mean: FloatArray
    last: FloatArray
    quality: FloatArray
    flags: IntArray
    starts: IntArray

    def __len__(self) -> int:
        return len(self.hours)


def floor_to_hour(minutes: IntArray) -> IntArray:
    """The first minute of each one's hour.

    >>> floor_to_hour(np.array([-1, 0, 59, 60]))
    array([-60,   0,   0,  60])
    """
    floored: IntArray = minutes // MINUTES_PER_HOUR * MINUTES_PER_HOUR
    return floored


def minutes_of(times: TimeArray) -> IntArray:
    """The minute that each time lies in.

    >>> minutes_of(np.array(["1970-01-01T00:01:59.9", "1969-12-31T23:59:59"], "datetime64[us]"))
    array([ 1, -1])
    """
    return times.astype("datetime64[m]").astype(np.int64)


def times_of(minutes: IntArray) -> TimeArray:
    """When each minute begins, datetime64[us]."""
    return minutes.astype("datetime64[m]").astype("datetime64[us]")


def of_readings(
    sensor_ids: IntArray,
    times: TimeArray,
    values: FloatArray,
    quality: FloatArray,
    flags: NDArray[np.int16],
) -> Minutes:
    """The minutes of readings that are sorted by (sensor, time); all arrays of shape (n,)."""
    if not len(times):
        return Minutes.none()
    minutes = minutes_of(times)
    starts = _starts(sensor_ids, minutes)
    ends = np.r_[starts[1:], len(times)]
    counts = ends - starts
    records = np.zeros(len(starts), MINUTE)
    records["minute"], records["count"] = minutes[starts], counts
    records["minimum"] = np.minimum.reduceat(values, starts)
    records["maximum"] = np.maximum.reduceat(values, starts)
    records["mean"] = np.add.reduceat(values, starts) / counts
    records["last"] = values[ends - 1]
    records["quality"] = np.add.reduceat(quality, starts) / counts
    return Minutes(sensor_ids[starts], records, _flag_counts(flags, starts))


def hours_of(minutes: Minutes) -> Hours:
    """The hours of these minutes, which are all that their hours have."""
    records = minutes.records
    hours = minutes.hours
    starts = _starts(minutes.sensor_ids, hours) if len(hours) else np.zeros(0, np.int64)
    ends = np.r_[starts[1:], len(records)][: len(starts)]
    count = records["count"].astype(np.int64)
    counts = _reduced(np.add, count, starts)
    return Hours(
        sensor_ids=minutes.sensor_ids[starts],
        hours=hours[starts],
        counts=counts,
        minimum=_reduced(np.minimum, records["minimum"], starts),
        maximum=_reduced(np.maximum, records["maximum"], starts),
        mean=_reduced(np.add, records["mean"] * count, starts) / counts,
        last=records["last"][ends - 1],
        quality=_reduced(np.add, records["quality"].astype(np.float64) * count, starts) / counts,
        flags=_reduced(np.add, minutes.flags.astype(np.int64), starts),
        starts=starts,
    )


def packed(minutes: Minutes, starts: IntArray) -> tuple[list[bytes], list[bytes]]:
    """The bytes of each hour's minutes and of their flag counts, none for the latter where no
    reading has a flag."""
    places = [*starts.tolist(), len(minutes)]
    each = [slice(begin, end) for begin, end in pairwise(places)]
    records = [minutes.records[rows].tobytes() for rows in each]
    flags = [minutes.flags[rows] for rows in each]
    return records, [one.astype(_COUNT).tobytes() if one.any() else b"" for one in flags]


def unpacked(sensor_ids: list[int], records: list[bytes], flags: list[bytes]) -> Minutes:
    """The minutes of rows that `packed` made; one entry a row, sorted by (sensor, hour)."""
    counts = [len(one) // MINUTE.itemsize for one in records]
    whole = np.frombuffer(b"".join(records), MINUTE)
    each = [_unpacked_flags(one, n) for one, n in zip(flags, counts, strict=True)]
    return Minutes(
        np.repeat(np.array(sensor_ids, dtype=np.int64), counts),
        whole,
        np.concatenate([Minutes.none().flags, *each]),
    )


def runs(sensor_ids: IntArray, times: TimeArray) -> tuple[IntArray, IntArray]:
    """Where stretches without a long gap begin and end (inclusive); sorted by (sensor, time).

    >>> at = np.array(["2026-01-01T00", "2026-01-01T01", "2026-01-05T00"], "datetime64[us]")
    >>> runs(np.array([7, 7, 7]), at)
    (array([0, 2]), array([1, 2]))
    """
    is_first = np.ones(len(times), dtype=bool)
    is_first[1:] = (sensor_ids[1:] != sensor_ids[:-1]) | (np.diff(times) > LONGEST_GAP)
    starts = np.flatnonzero(is_first)
    return starts, np.r_[starts[1:], len(times)] - 1


def _starts(sensor_ids: IntArray, buckets: IntArray) -> IntArray:
    is_first = np.ones(len(buckets), dtype=bool)
    is_first[1:] = (sensor_ids[1:] != sensor_ids[:-1]) | (buckets[1:] != buckets[:-1])
    return np.flatnonzero(is_first)


def _reduced(function: np.ufunc, column: NDArray[Any], starts: IntArray) -> NDArray[Any]:
    """reduceat, which refuses to be asked for nothing."""
    found: NDArray[Any] = function.reduceat(column, starts) if len(starts) else column[:0]
    return found


def _flag_counts(flags: NDArray[np.int16], starts: IntArray) -> NDArray[np.uint32]:
    if not flags.any():
        return np.zeros((len(starts), len(Flag)), np.uint32)
    bits = (flags[:, None] >> _BITS) & 1
    return np.add.reduceat(bits.astype(np.uint32), starts)


def _unpacked_flags(stored: bytes, n: int) -> NDArray[np.uint32]:
    """Counts as (n, number of flags); a flag that came after they were stored was on nothing."""
    counts = np.zeros((n, len(Flag)), np.uint32)
    if stored:
        known = np.frombuffer(stored, _COUNT).reshape(n, -1)
        counts[:, : known.shape[1]] = known
    return counts

"""A sensor's readings for a chart: all of them while they are few, else per equal slice of time.

Slices come from the coarsest level that gives enough of them. What that level does not know comes
from the readings: the edges of the range, and what is noted for a roll-up pass, so that a reading
is in the chart as soon as it is acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import QuerySet

from sensors.copying import as_times, copied, copied_bytes
from sensors.minutes import MINUTE, times_of
from sensors.models import RollupNote, Sensor, SensorProfile
from sensors.series import TimeArray, to_datetime, to_datetime64
from sensors.slices import Buckets, IntArray, Level, Plan, Range, combined, joined, outside, plan

_READINGS = """
SELECT time, value, quality, flags FROM sensors_reading
WHERE sensor_id = %s AND time >= %s AND time <= %s ORDER BY time LIMIT %s
"""
_READING = {"time": "timestamptz", "value": "float8", "quality": "float4", "flags": "int2"}
# Aggregated range by range: nothing then tempts the planner to walk all that lies between them.
_IN_RANGES = """
SELECT found.* FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS one (since, until)
CROSS JOIN LATERAL (
    SELECT date_bin(%s, time, %s) AS slice, min(value), max(value), avg(value), count(*)
    FROM sensors_reading
    WHERE sensor_id = %s AND time >= one.since AND time < one.until AND time >= %s AND time < %s
    GROUP BY slice
) found
"""
_IN_ONE_RANGE = """
SELECT date_bin(%s, time, %s) AS slice, min(value), max(value), avg(value), count(*)
FROM sensors_reading WHERE sensor_id = %s AND time >= %s AND time < %s
GROUP BY slice
"""
_HOURS = """
SELECT time, minimum, maximum, mean, count FROM sensors_hourrollup
WHERE sensor_id = %s AND time >= %s AND time < %s
"""
_BUCKET = {
    "time": "timestamptz", "minimum": "float8", "maximum": "float8", "mean": "float8",
    "count": "bigint",
}  # fmt: skip
_MINUTES = """
SELECT string_agg(packed, ''::bytea) FROM sensors_minuterollups
WHERE sensor_id = %s AND time >= %s AND time < %s
"""


@dataclass(frozen=True, slots=True)
class Slices:
    """plan: how the range was cut; buckets: one a slice that has readings, oldest first."""

    plan: Plan
    buckets: Buckets

    @property
    def width(self) -> timedelta:
        return timedelta(microseconds=self.plan.width)


@dataclass(frozen=True, slots=True)
class Singles:
    """Single readings, oldest first; arrays of shape (n,)."""

    times: TimeArray
    values: np.ndarray[Any, np.dtype[np.float64]]
    quality: np.ndarray[Any, np.dtype[np.float64]]
    flags: np.ndarray[Any, np.dtype[np.int16]]

    def __len__(self) -> int:
        return len(self.times)


def points(sensor: Sensor, *, since: datetime, until: datetime, limit: int) -> Singles | Slices:
    """The readings with since <= time <= until: single ones, or at most `limit` slices of them.

    A slice keeps its extremes, so a spike of one reading is seen however long the range is. Where
    readings were dropped, a minute or an hour that the range touches counts as a whole.
    """
    profile = SensorProfile.objects.filter(sensor=sensor).first()
    finest = finest_level(profile, since)
    if finest is Level.READINGS:
        few = singles(sensor.pk, since, until, limit + 1)
        if len(few) <= limit:
            return few
    begin, end = to_us(since), to_us(until) + 1
    planned = plan(begin, end, limit, finest)
    kept_from = to_us(profile.kept_from) if profile and profile.kept_from else None
    return Slices(planned, in_slices(sensor.pk, planned, (begin, end), kept_from))


def finest_level(profile: SensorProfile | None, since: datetime) -> Level:
    """The finest level that still has all that was measured from `since` on."""
    if profile is None or profile.first_time is None:
        return Level.READINGS
    first = max(since, profile.first_time)
    if profile.minutes_kept_from and first < profile.minutes_kept_from:
        return Level.HOUR
    if profile.kept_from and first < profile.kept_from:
        return Level.MINUTE
    return Level.READINGS


def singles(sensor_id: int, since: datetime, until: datetime, limit: int) -> Singles:
    """The first `limit` readings with since <= time <= until."""
    rows = copied(_READINGS, [sensor_id, since, until, limit], _READING)
    return Singles(
        as_times(rows["time"]),
        rows["value"],
        rows["quality"],
        rows["flags"],
    )


def from_readings(sensor_id: int, planned: Plan, ranges: list[Range]) -> Buckets:
    """What the readings of these ranges come to in the plan's slices."""
    if not ranges:
        return _none()
    width, anchor = timedelta(microseconds=planned.width), _time(planned.anchor)
    first, last = _time(ranges[0][0]), _time(ranges[-1][1])
    if len(ranges) == 1:
        return _copied_buckets(_IN_ONE_RANGE, [width, anchor, sensor_id, first, last])
    edges = [[_time(edge) for edge in column] for column in zip(*ranges, strict=True)]
    return _copied_buckets(_IN_RANGES, [*edges, width, anchor, sensor_id, first, last])


def in_slices(sensor_id: int, planned: Plan, asked: Range, kept_from: int | None) -> Buckets:
    """The readings of a range in the plan's slices, from its level where that has them.

    kept_from: there are no readings before; None where all are kept.
    """
    if planned.level is Level.READINGS:
        return combined([from_readings(sensor_id, planned, [asked])], planned)
    # In this order: a pass that ends meanwhile moves what is noted into the level, so what is read
    # last would at worst be read from the readings although the level has it by now.
    noted = noted_ranges(sensor_id, asked)
    unknown = unknown_ranges(planned, asked, noted, kept_from)
    rolled = (_hours if planned.level is Level.HOUR else _minutes)(sensor_id, asked, planned)
    known = rolled.take(outside(rolled.begins, unknown))
    within = [(max(begin, asked[0]), min(end, asked[1])) for begin, end in unknown]
    return combined([known, from_readings(sensor_id, planned, within)], planned)


def unknown_ranges(
    planned: Plan, asked: Range, noted: list[Range], kept_from: int | None
) -> list[Range]:
    """Whole buckets that the level does not have: those that the range holds in part only, and what
    is noted. Before `kept_from` there are no readings to ask, and the level has all there is."""
    unit = planned.level.us
    edges = [edge // unit * unit for edge in asked]
    parts = [(edge, edge + unit) for edge, at in zip(edges, asked, strict=True) if edge != at]
    whole = [(begin // unit * unit, -(-end // unit) * unit) for begin, end in noted]
    lower = edges[0] if kept_from is None else max(edges[0], kept_from)
    upper = edges[1] + unit if edges[1] != asked[1] else edges[1]
    return joined((max(begin, lower), min(end, upper)) for begin, end in [*parts, *whole])


def noted_ranges(sensor_id: int, asked: Range) -> list[Range]:
    notes: QuerySet[RollupNote] = RollupNote.objects.filter(
        sensor=sensor_id, since__lt=_time(asked[1]), until__gte=_time(asked[0])
    )
    return [
        (to_us(since), to_us(until) + 1) for since, until in notes.values_list("since", "until")
    ]


def _hours(sensor_id: int, asked: Range, planned: Plan) -> Buckets:
    return _copied_buckets(_HOURS, [sensor_id, _time(planned.anchor), _time(asked[1])])


def _minutes(sensor_id: int, asked: Range, planned: Plan) -> Buckets:
    hour = Level.HOUR.us
    first = _time(planned.anchor // hour * hour)
    data = copied_bytes(_MINUTES, [sensor_id, first, _time(asked[1])])
    records = np.frombuffer(data, MINUTE)
    begins = times_of(records["minute"].astype(np.int64)).astype(np.int64)
    asked_for = (begins >= planned.anchor) & (begins < asked[1])
    return Buckets(
        begins,
        records["minimum"],
        records["maximum"],
        records["mean"],
        records["count"].astype(np.int64),
    ).take(asked_for)


def _copied_buckets(query: str, params: list[object]) -> Buckets:
    rows = copied(query, params, _BUCKET)
    return Buckets(
        begins=as_times(rows["time"]).astype(np.int64),
        minimum=rows["minimum"],
        maximum=rows["maximum"],
        mean=rows["mean"],
        count=rows["count"],
    )


def _none() -> Buckets:
    nothing = np.zeros(0)
    return Buckets(np.zeros(0, np.int64), nothing, nothing, nothing, np.zeros(0, np.int64))


def to_us(time: datetime) -> int:
    """Microseconds from 1970."""
    return int(to_datetime64(time).astype(np.int64))


def _time(us: int) -> datetime:
    return to_datetime(np.datetime64(us, "us"))


def to_datetimes(begins: IntArray) -> list[datetime]:
    """Microseconds from 1970 as aware datetimes."""
    return [to_datetime(time) for time in begins.astype("datetime64[us]")]

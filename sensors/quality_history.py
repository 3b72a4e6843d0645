"""How good a sensor's readings were over a range, from their roll-ups: what was never exact there,
the edges and what is noted, comes from the readings themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Count
from numpy.typing import NDArray

from sensors import buckets, levels
from sensors.minutes import IntArray, times_of
from sensors.models import QuarantinedReading, ReadingConflict, Sensor, SensorProfile
from sensors.quality import Flag
from sensors.series import FloatArray, TimeArray, to_datetime, to_datetime64
from sensors.slices import Level, Plan, Range, outside, plan

_FLAGS = ", ".join(f"count(*) FILTER (WHERE flags & {int(flag)} <> 0)" for flag in Flag)
_READINGS = f"""
SELECT date_bin(%s, time, %s) AS slice, count(*), avg(quality), {_FLAGS}
FROM sensors_reading WHERE sensor_id = %s AND time >= %s AND time < %s
GROUP BY slice
"""  # noqa: S608  constants of this package only
# An hour that was rolled up before a flag came has no count of it.
_HOUR_FLAGS = ", ".join(f"coalesce(flag_counts[{n + 1}], 0)" for n in range(len(Flag)))
_HOURS = f"""
SELECT time, count, quality_mean, {_HOUR_FLAGS} FROM sensors_hourrollup
WHERE sensor_id = %s AND time >= %s AND time < %s
"""  # noqa: S608  constants of this package only
_MINUTES = """
SELECT sensor_id, packed, flags FROM sensors_minuterollups
WHERE sensor_id = %s AND time >= %s AND time < %s ORDER BY time
"""


@dataclass(frozen=True, slots=True)
class QualityBuckets:
    """Stretches that have readings: begins in microseconds from 1970, count and mean quality 0 to
    1, all (n,); flags: how many readings have each, (n, number of flags), in the order of Flag."""

    begins: IntArray
    count: IntArray
    quality: FloatArray
    flags: IntArray

    @classmethod
    def of(cls, rows: list[tuple[Any, ...]]) -> QualityBuckets:
        """From rows of time, count, mean quality and one count a flag."""
        times: TimeArray = np.array([to_datetime64(row[0]) for row in rows], "datetime64[us]")
        shape = (len(rows), 2 + len(Flag))
        numbers = np.array([row[1:] for row in rows], dtype=np.float64).reshape(shape)
        counts = numbers[:, [0, *range(2, 2 + len(Flag))]].astype(np.int64)
        return cls(times.astype(np.int64), counts[:, 0], numbers[:, 1], counts[:, 1:])

    def __len__(self) -> int:
        return len(self.begins)

    def take(self, rows: NDArray[Any]) -> QualityBuckets:
        return QualityBuckets(*(getattr(self, name)[rows] for name in self.__slots__))

    def joined(self, other: QualityBuckets) -> QualityBuckets:
        both = ([getattr(self, name), getattr(other, name)] for name in self.__slots__)
        return QualityBuckets(*map(np.concatenate, both))

    def in_slices(self, anchor: int, width: int) -> QualityBuckets:
        """One bucket a slice that has readings, oldest first."""
        if not len(self):
            return self
        place = (self.begins - anchor) // width
        order = np.argsort(place, kind="stable")
        whole, place = self.take(order), place[order]
        starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
        count = np.add.reduceat(whole.count, starts)
        quality = np.add.reduceat(whole.quality * whole.count, starts) / count
        flags = np.add.reduceat(whole.flags, starts)
        return QualityBuckets(anchor + place[starts] * width, count, quality, flags)


@dataclass(frozen=True, slots=True)
class History:
    """The quality of a sensor's readings over a range. quarantined: rows by code that came for it
    between since and until; conflicts: second values for a time between them."""

    level: Level
    width: timedelta
    buckets: QualityBuckets
    quarantined: dict[str, int]
    conflicts: int

    @property
    def readings(self) -> int:
        return int(self.buckets.count.sum())

    @property
    def quality_mean(self) -> float | None:
        """Over the readings, None without any."""
        if not self.readings:
            return None
        return float((self.buckets.quality * self.buckets.count).sum() / self.readings)

    def reasons(self) -> dict[str, int]:
        """How many readings each reason holds for."""
        return named(self.buckets.flags.sum(axis=0))


def named(counts: NDArray[Any]) -> dict[str, int]:
    """Counts in the order of Flag, shape (number of flags,), by name; those that are none left out.

    >>> named(np.array([0, 0, 3, 0, 0, 1]))
    {'unusual': 3, 'backfill': 1}
    """
    pairs = zip(Flag, counts.tolist(), strict=True)
    return {str(flag.name).lower(): count for flag, count in pairs if count}


def history(sensor: Sensor, *, since: datetime, until: datetime, limit: int) -> History:
    """The readings with since <= time <= until, in at most `limit` slices of full minutes or hours.

    Where minutes or readings were dropped, what the range touches counts as a whole.
    """
    profile = SensorProfile.objects.filter(sensor=sensor).first()
    finest = buckets.finest_level(profile, since)
    begin, end = buckets.to_us(since), buckets.to_us(until) + 1
    planned = plan(begin, end, limit, Level.HOUR if finest is Level.HOUR else Level.MINUTE)
    kept_from = buckets.to_us(profile.kept_from) if profile and profile.kept_from else None
    # Notes are read first: see buckets.
    noted = buckets.noted_ranges(sensor.pk, (begin, end))
    unknown = buckets.unknown_ranges(planned, (begin, end), noted, kept_from)
    rolled = _rolled(sensor.pk, planned, (begin, end))
    found = rolled.take(outside(rolled.begins, unknown))
    for low, high in unknown:
        found = found.joined(_from_readings(sensor.pk, planned, max(low, begin), min(high, end)))
    return History(
        planned.level,
        timedelta(microseconds=planned.width),
        found.in_slices(planned.anchor, planned.width),
        quarantined(sensor, since, until),
        ReadingConflict.objects.filter(sensor=sensor, time__range=(since, until)).count(),
    )


def quarantined(sensor: Sensor, since: datetime, until: datetime) -> dict[str, int]:
    """Rows of quarantine for this sensor that came in the range, by code, the most first.

    By when they were received: a row may be there because its time cannot be read.
    """
    rows = QuarantinedReading.objects.filter(
        site=sensor.site_id, sensor_ref=sensor.external_id, received_at__range=(since, until)
    )
    return dict(rows.order_by().values_list("code").annotate(n=Count("id")).order_by("-n", "code"))


def _rolled(sensor_id: int, planned: Plan, asked: Range) -> QualityBuckets:
    end = _time(asked[1])
    if planned.level is Level.HOUR:
        return QualityBuckets.of(_rows(_HOURS, sensor_id, _time(planned.anchor), end))
    hour = Level.HOUR.us
    rows = _rows(_MINUTES, sensor_id, _time(planned.anchor // hour * hour), end)
    stored = levels.of_rows(rows)
    begins = times_of(stored.records["minute"].astype(np.int64)).astype(np.int64)
    found = QualityBuckets(
        begins,
        stored.records["count"].astype(np.int64),
        stored.records["quality"].astype(np.float64),
        stored.flags.astype(np.int64),
    )
    return found.take((begins >= planned.anchor) & (begins < asked[1]))


def _from_readings(sensor_id: int, planned: Plan, low: int, high: int) -> QualityBuckets:
    width, anchor = timedelta(microseconds=planned.width), _time(planned.anchor)
    return QualityBuckets.of(_rows(_READINGS, width, anchor, sensor_id, _time(low), _time(high)))


def _rows(query: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return list(cursor.fetchall())


def _time(us: int) -> datetime:
    return to_datetime(np.datetime64(us, "us"))

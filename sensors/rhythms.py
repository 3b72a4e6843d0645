"""Learning how sensors speak: the newest readings of many at once, and what is stored of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice

import numpy as np
from django.db import connection

from sensors.models import Sensor, SensorProfile, SensorRhythm
from sensors.quality import Flag
from sensors.rhythm import WINDOW, noise_of, rhythm_of
from sensors.series import FloatArray, TimeArray, to_datetime

# A rhythm is learned again when it is this old and there were readings since.
STALE_AFTER = timedelta(hours=1)
AT_ONCE = 500

# Sensors that are quiet now come first: whether they are silent depends on their newest readings.
_DUE = """
SELECT p.sensor_id, p.last_time
FROM sensors_sensorprofile p
JOIN sensors_sensor s ON s.id = p.sensor_id
LEFT JOIN sensors_sensorrhythm r ON r.sensor_id = p.sensor_id,
LATERAL (SELECT extract(epoch FROM %(now)s - p.last_time)
    > greatest(%(quiet_s)s, %(intervals)s * p.interval_s) AS is_quiet) AS state
WHERE s.status <> 'retired' AND p.count > 1 AND p.last_time IS DISTINCT FROM r.as_of
  AND (is_quiet OR r.learned_at IS NULL OR r.learned_at < %(stale)s)
ORDER BY is_quiet DESC, r.learned_at NULLS FIRST, p.sensor_id
LIMIT %(limit)s
"""
_WINDOWS = """
SELECT asked.sensor_id, newest.times, newest.values, newest.flags
FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked(sensor_id, until),
LATERAL (
    SELECT array_agg((extract(epoch FROM time) * 1000000)::bigint) AS times,
        array_agg(value) AS values, (array_agg(flags))[1] AS flags
    FROM (SELECT time, value, flags FROM sensors_reading r
          WHERE r.sensor_id = asked.sensor_id AND r.time <= asked.until
          ORDER BY time DESC LIMIT %s) AS rows
) AS newest
WHERE newest.times IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Window:
    """The newest readings of a sensor up to some time, oldest first, shape (n,), n at most WINDOW.

    is_backfill: the newest of them came as history, not live.
    """

    times: TimeArray
    values: FloatArray
    is_backfill: bool


def windows(asked: Iterable[tuple[int, datetime]]) -> Iterator[tuple[int, Window]]:
    """(sensor, its window up to that time) for (sensor, time) pairs, many at once.

    A sensor without readings up to then is left out.
    """
    rest = iter(asked)
    while some := list(islice(rest, AT_ONCE)):
        ids, untils = (list(column) for column in zip(*some, strict=True))
        with connection.cursor() as cursor:
            cursor.execute(_WINDOWS, [ids, untils, WINDOW])
            for sensor_id, times, values, flags in cursor.fetchall():
                yield sensor_id, _window(times, values, flags)


def _window(times: Sequence[int], values: Sequence[float], flags: int) -> Window:
    """From columns that come newest first."""
    return Window(
        np.array(times[::-1], dtype="datetime64[us]"),
        np.array(values[::-1], dtype=float),
        bool(flags & Flag.BACKFILL),
    )


def learn_due(*, now: datetime, quiet_s: float, intervals: float, limit: int = 2000) -> int:
    """Learn the rhythm of sensors that are quiet and of those whose rhythm is old; how many.

    Quiet: nothing was measured for `quiet_s` seconds and `intervals` usual intervals.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _DUE,
            {
                "now": now,
                "quiet_s": quiet_s,
                "intervals": intervals,
                "stale": now - STALE_AFTER,
                "limit": limit,
            },
        )
        due = cursor.fetchall()
    return learn(due, now=now)


def learn(asked: Iterable[tuple[int, datetime]], *, now: datetime) -> int:
    """Store the rhythm of each sensor as of that time; of how many it could be told."""
    rows = [row for sensor_id, window in windows(asked) if (row := _row(sensor_id, window, now))]
    # In the order of their ids: two that learn at once wait for each other instead of locking up.
    SensorRhythm.objects.bulk_create(
        sorted(rows, key=lambda row: row.sensor_id),
        update_conflicts=True,
        unique_fields=["sensor"],
        update_fields=[f.name for f in SensorRhythm._meta.fields if f.name != "sensor"],
        batch_size=AT_ONCE,
    )
    return len(rows)


def newest(sensor: Sensor, *, now: datetime) -> SensorRhythm | None:
    """How it speaks now, not stored; None below two readings."""
    profile: SensorProfile | None = getattr(sensor, "profile", None)
    if profile is None or profile.last_time is None:
        return None
    found = [
        _row(sensor.pk, window, now) for _, window in windows([(sensor.pk, profile.last_time)])
    ]
    return found[0] if found else None


def _row(sensor_id: int, window: Window, now: datetime) -> SensorRhythm | None:
    found = rhythm_of(window.times)
    if found is None:
        return None
    return SensorRhythm(
        sensor_id=sensor_id,
        as_of=to_datetime(window.times[-1]),
        as_of_backfill=window.is_backfill,
        noise=noise_of(window.values),
        learned_at=now,
        **asdict(found),
    )

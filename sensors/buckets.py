"""A sensor's readings for a chart: all of them while they are few, else per equal slice of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from sensors.models import Reading, Sensor

_PER_BUCKET = """
SELECT date_bin(%s, time, %s) AS bucket, min(value), max(value), avg(value), count(*)
FROM sensors_reading
WHERE sensor_id = %s AND time >= %s AND time <= %s
GROUP BY bucket ORDER BY bucket
"""


@dataclass(frozen=True, slots=True)
class Points:
    """Oldest first. bucket: width of a slice, None when `rows` are single readings.

    rows: dicts of time and value, quality, flags; or of time (where the slice begins) and min, max,
    mean, count. Slices without readings are left out.
    """

    bucket: timedelta | None
    rows: list[dict[str, Any]]


def points(sensor: Sensor, *, since: datetime, until: datetime, limit: int) -> Points:
    """The readings with since <= time <= until in at most `limit` rows.

    A slice keeps its extremes, so a spike of one reading is seen however long the range is.
    """
    readings = Reading.objects.filter(sensor=sensor, time__gte=since, time__lte=until)
    columns = readings.order_by("time").values("time", "value", "quality", "flags")
    few = [dict(row) for row in columns[: limit + 1]]
    if len(few) <= limit:
        return Points(None, few)
    # A microsecond more than an equal share, so that `until` itself is in the last slice.
    width = (until - since) / limit + timedelta(microseconds=1)
    with connection.cursor() as cursor:
        params: list[Any] = [width, since, sensor.pk, since, until]
        cursor.execute(_PER_BUCKET, params)
        names = ("time", "min", "max", "mean", "count")
        return Points(width, [dict(zip(names, row, strict=True)) for row in cursor.fetchall()])

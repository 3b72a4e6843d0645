"""The levels as they are stored: a window's readings, the minutes of hours, hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from sensors import statements
from sensors.copying import as_times, copied
from sensors.minutes import (
    Hours,
    IntArray,
    Minutes,
    of_readings,
    packed,
    times_of,
    unpacked,
)
from sensors.series import FloatArray, TimeArray, to_datetime
from sensors.windows import Windows

# The windows are walked in their order, so the rows come sorted by (sensor, time) without a sort;
# the bounds of all of them let the planner leave other chunks out.
_READINGS = """
SELECT found.* FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
    AS one (sensor_id, since, until)
CROSS JOIN LATERAL (
    SELECT r.sensor_id, r.time, r.value, r.quality, r.flags FROM sensors_reading r
    WHERE r.sensor_id = one.sensor_id AND r.time >= one.since AND r.time < one.until
        AND r.time >= %s AND r.time < %s
    ORDER BY r.time
) found LIMIT %s
"""
_COLUMNS = {
    "sensor": "bigint", "time": "timestamptz", "value": "float8", "quality": "float4",
    "flags": "int2",
}  # fmt: skip
_STORED = """
SELECT sensor_id, packed, flags FROM sensors_minuterollups
JOIN unnest(%s::bigint[], %s::timestamptz[]) AS touched (sensor_id, time) USING (sensor_id, time)
ORDER BY sensor_id, time
"""
_GONE = """
DELETE FROM {table} USING unnest(%s::bigint[], %s::timestamptz[]) AS gone (sensor_id, time)
WHERE {table}.sensor_id = gone.sensor_id AND {table}.time = gone.time
"""
_PUT_MINUTES = """
INSERT INTO sensors_minuterollups AS m (sensor_id, time, packed, flags)
SELECT * FROM unnest(%b::bigint[], %b::timestamptz[], %b::bytea[], %b::bytea[])
ON CONFLICT (sensor_id, time) DO UPDATE SET packed = excluded.packed, flags = excluded.flags
WHERE (m.packed, m.flags) IS DISTINCT FROM (excluded.packed, excluded.flags)
"""
_HOUR = "count, minimum, maximum, mean, last, quality_mean, flag_counts"
_PUT_HOURS = f"""
INSERT INTO sensors_hourrollup AS h (sensor_id, time, {_HOUR})
SELECT sensor_id, time, count, minimum, maximum, mean, last, quality_mean,
    string_to_array(flag_counts, ' ')::bigint[]
FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[],
    %s::float8[], %s::float8[], %s::text[]) AS hour (sensor_id, time, {_HOUR})
ON CONFLICT (sensor_id, time) DO UPDATE SET
    count = excluded.count, minimum = excluded.minimum, maximum = excluded.maximum,
    mean = excluded.mean, last = excluded.last, quality_mean = excluded.quality_mean,
    flag_counts = excluded.flag_counts
"""  # noqa: S608  constants of this module only


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of several sensors, sorted by (sensor, time); arrays of shape (n,)."""

    sensor_ids: IntArray
    times: TimeArray
    values: FloatArray
    quality: FloatArray
    flags: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.times)

    def in_minutes(self) -> Minutes:
        """The minutes that they lie in."""
        ids, times = self.sensor_ids, self.times
        in_order = (ids[1:] > ids[:-1]) | ((ids[1:] == ids[:-1]) & (times[1:] > times[:-1]))
        assert in_order.all()  # noqa: S101  nothing in SQL promises it
        return of_readings(ids, times, self.values, self.quality, self.flags)


def readings(windows: Windows, limit: int) -> Readings:
    """The first `limit` readings of joined windows."""
    since, until = times_of(windows.since), times_of(windows.until)
    spans = [[to_datetime(at) for at in column] for column in (since, until)]
    params = [windows.sensor_ids.tolist(), *spans, min(spans[0]), max(spans[1]), limit]
    found = copied(_READINGS, params, _COLUMNS)
    return Readings(
        found["sensor"], as_times(found["time"]), found["value"], found["quality"], found["flags"]
    )


def stored(sensor_ids: IntArray, hours: IntArray) -> Minutes:
    """The minutes that are kept of these hours."""
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [sensor_ids.tolist(), datetimes(hours)])
        return of_rows(cursor.fetchall())


def of_rows(rows: list[tuple[int, bytes, bytes]]) -> Minutes:
    """The minutes of rows (sensor id, packed, flags), sorted by (sensor, hour)."""
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    sensors, records, flags = (list(column) for column in columns)
    return unpacked(sensors, [bytes(one) for one in records], [bytes(one) for one in flags])


def put(minutes: Minutes, hours: Hours, keeps_minutes: NDArray[np.bool_]) -> None:
    """Keep these hours in the place of what was kept of them, and the minutes of some, (n,)."""
    sensors, times = hours.sensor_ids.tolist(), datetimes(hours.hours)
    records, flags = packed(minutes, hours.starts)
    kept = np.flatnonzero(keeps_minutes).tolist()
    by_hour = [[column[place] for place in kept] for column in (sensors, times, records, flags)]
    # In binary: as text these bytes would be twice as many.
    statements.run(_PUT_MINUTES, by_hour)
    with connection.cursor() as cursor:
        columns = (hours.counts, hours.minimum, hours.maximum, hours.mean, hours.last)
        cursor.execute(
            _PUT_HOURS,
            [
                sensors,
                times,
                *(column.tolist() for column in columns),
                hours.quality.tolist(),
                [" ".join(map(str, counts)) for counts in hours.flags.tolist()],
            ],
        )


def delete(gone: list[tuple[int, int]]) -> None:
    """Forget these hours, (sensor, first minute), and their minutes."""
    if not gone:
        return
    sensors, hours = (list(column) for column in zip(*gone, strict=True))
    params = [sensors, datetimes(np.array(hours))]
    with connection.cursor() as cursor:
        for table in ("sensors_hourrollup", "sensors_minuterollups"):
            cursor.execute(_GONE.format(table=table), params)


def datetimes(minutes: IntArray) -> list[datetime]:
    """When each minute begins."""
    return [to_datetime(at) for at in times_of(minutes)]

"""Readings of many sensors by one statement: a round trip and a plan for all of them.

Each answer has a series for each one that was asked for, in that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from django.db import connection

from sensors.copying import Column, as_times, copied
from sensors.series import Series

_COLUMNS = {"place": "bigint", "time": "timestamptz", "value": "float8", "quality": "float4"}

_NEWEST = """
SELECT asked.place, (SELECT time FROM sensors_reading reading
                     WHERE reading.sensor_id = asked.sensor_id ORDER BY time DESC LIMIT 1)
FROM unnest(%s::bigint[]) WITH ORDINALITY AS asked (sensor_id, place)
"""
_BETWEEN = """
SELECT asked.place, found.time, found.value, found.quality
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
     WITH ORDINALITY AS asked (sensor_id, since, until, place),
LATERAL (SELECT time, value, quality FROM sensors_reading reading
         WHERE reading.sensor_id = asked.sensor_id
           AND time >= asked.since AND time <= asked.until
         ORDER BY time LIMIT %s) AS found
"""
_LEADING = """
SELECT asked.place, found.time, found.value, found.quality
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
     WITH ORDINALITY AS asked (sensor_id, since, until, place),
LATERAL ((SELECT time, value, quality FROM sensors_reading reading
          WHERE reading.sensor_id = asked.sensor_id AND time < asked.since
          ORDER BY time DESC LIMIT %s)
         UNION ALL
         (SELECT time, value, quality FROM sensors_reading reading
          WHERE reading.sensor_id = asked.sensor_id
            AND time >= asked.since AND time < asked.until)) AS found
"""


def newest(sensor_ids: Sequence[int]) -> list[datetime | None]:
    """Event time of each sensor's last reading; None without any."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [list(sensor_ids)])
        times = dict(cursor.fetchall())
    return [times.get(place) for place in range(1, len(sensor_ids) + 1)]


def between(asked: Sequence[tuple[int, datetime, datetime]], *, limit: int) -> list[Series]:
    """(sensor, since, until): the readings with since <= time <= until, oldest first, `limit` of
    each at most."""
    return _series(_BETWEEN, asked, limit)


def leading(asked: Sequence[tuple[int, datetime, datetime]], *, rows: int) -> list[Series]:
    """(sensor, since, until): the last `rows` readings before `since`, and all from then on up to
    `until` (exclusive), oldest first."""
    return _series(_LEADING, asked, rows)


def _series(
    query: str, asked: Sequence[tuple[int, datetime, datetime]], limit: int
) -> list[Series]:
    if not asked:
        return []
    columns = [list(column) for column in zip(*asked, strict=True)]
    return _split(copied(query, (*columns, limit), _COLUMNS), len(asked))


def _split(found: dict[str, Column], n: int) -> list[Series]:
    """By place, which counts from 1; PostgreSQL promises no order of the rows."""
    order = np.lexsort((found["time"], found["place"]))
    times = as_times(found["time"][order])
    values, quality = found["value"][order], found["quality"][order]
    edges = np.searchsorted(found["place"][order], np.arange(1, n + 2))
    return [
        Series(times[begin:end], values[begin:end], quality[begin:end])
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]

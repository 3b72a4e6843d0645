"""What is stored of a machine's sensors: who is known, how far they spoke, and the rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection

from anomalies import exclusions
from anomalies.machines.grid import KNOWN_ROWS, Era, Member, Rows, table
from sensors import states
from sensors.copying import as_times, copied
from sensors.models import Reading, Sensor
from sensors.operating import RUNNING, states_at
from sensors.series import to_datetime, to_datetime64

_NEWEST = """
SELECT newest.time FROM unnest(%s::bigint[]) AS sensor (id)
CROSS JOIN LATERAL (SELECT time FROM sensors_reading WHERE sensor_id = sensor.id
    ORDER BY time DESC LIMIT 1) AS newest
"""
# Means in the order of time: in any other they could differ in their last bits.
_MEANS = """
SELECT sensor_id, date_bin(make_interval(secs => %s), time, %s),
    avg(value ORDER BY time)
FROM sensors_reading WHERE sensor_id = ANY(%s::bigint[]) AND time >= %s AND time < %s
GROUP BY 1, 2 ORDER BY 2, 1
"""
_COLUMNS = {"sensor_id": "bigint", "bucket": "timestamptz", "mean": "float8"}


def members_of(asset_id: int, known: Iterable[Member], *, dirty: datetime | None) -> list[Member]:
    """The sensors of a machine whose rhythm is known, by number.

    known: as they were last looked at; dirty: readings from this event time on are new.
    """
    since = None if dirty is None else to_datetime64(dirty)
    certain = {one.sensor: one for one in known if since is None or one.since < since}
    found = []
    for sensor in Sensor.objects.filter(asset=asset_id).order_by("pk").values_list("pk", flat=True):
        member = certain.get(sensor) or _look_at(sensor)
        if member is not None:
            found.append(member)
    return found


def _look_at(sensor: int) -> Member | None:
    return Member.of(sensor, Reading.objects.series(sensor, limit=KNOWN_ROWS).times)


def stored(members: Iterable[Member]) -> list[list[Any]]:
    """Members as JSON; `loaded` reads them."""
    return [[one.sensor, str(one.since), one.interval_s] for one in members]


def loaded(rows: Iterable[Iterable[Any]]) -> list[Member]:
    return [
        Member(sensor, np.datetime64(since, "us"), interval_s) for sensor, since, interval_s in rows
    ]


def newest(era: Era) -> list[np.datetime64]:
    """Event time of the last reading of each of its sensors that has any."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [list(era.sensors)])
        return [to_datetime64(time) for (time,) in cursor.fetchall()]


def rows_between(era: Era, since: np.datetime64, until: np.datetime64) -> Rows:
    """The rows with since <= start < until in which the machine ran; both on the grid."""
    asked = (to_datetime(era.begin), list(era.sensors), to_datetime(since), to_datetime(until))
    found = copied(_MEANS, (era.step_s, *asked), _COLUMNS)
    rows = table(era, found["sensor_id"], as_times(found["bucket"]), found["mean"])
    faulty = exclusions.rows_left_out(era.sensors, rows.times, era.step)
    return _running(era, replace(rows, faulty=faulty))


def _running(era: Era, rows: Rows) -> Rows:
    """Without those that the machine did not run in from start to end."""
    if not len(rows.times):
        return rows
    last = rows.times + (era.step - np.timedelta64(1, "us"))
    told = states.intervals_of(era.sensors[0], to_datetime(rows.times[0]), to_datetime(last[-1]))
    if not told:
        return rows
    ran = (states_at(rows.times, told) == RUNNING) & (states_at(last, told) == RUNNING)
    return rows[ran]

"""What is stored of a machine's sensors: who is known, how far they spoke, and the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from anomalies import exclusions
from anomalies.machines.grid import KNOWN_ROWS, Era, Member, Rows, table
from sensors import many, states
from sensors.copying import as_times, copied
from sensors.operating import RUNNING, states_at
from sensors.series import to_datetime

# Means in the order of time: in any other they could differ in their last bits.
_MEANS = """
SELECT asked.place, asked.sensor_id, found.start, found.mean
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],
     %s::timestamptz[]) AS asked (place, sensor_id, step_s, origin, since, until),
LATERAL (SELECT date_bin(make_interval(secs => asked.step_s), time, asked.origin) AS start,
             avg(value ORDER BY time) AS mean
         FROM sensors_reading reading
         WHERE reading.sensor_id = asked.sensor_id AND time >= asked.since AND time < asked.until
         GROUP BY 1) AS found
"""
_COLUMNS = {
    "place": "bigint", "sensor_id": "bigint", "start": "timestamptz", "mean": "float8",
}  # fmt: skip
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def members_of(machines: Sequence[tuple[Sequence[int], Sequence[Member]]]) -> list[list[Member]]:
    """Of each machine the sensors whose rhythm is known.

    machines: of each its sensors, by number, and those that are known already.
    """
    known = [{member.sensor: member for member in members} for _, members in machines]
    new = [
        (sensor, own)
        for (sensors, _), own in zip(machines, known, strict=True)
        for sensor in sensors
        if sensor not in own
    ]
    first = many.between([(sensor, *_EVER) for sensor, _ in new], limit=KNOWN_ROWS)
    for (sensor, own), series in zip(new, first, strict=True):
        if (member := Member.of(sensor, series.times)) is not None:
            own[sensor] = member
    return [
        [own[sensor] for sensor in sensors if sensor in own]
        for (sensors, _), own in zip(machines, known, strict=True)
    ]


def stored(members: Iterable[Member]) -> list[list[Any]]:
    """Members as JSON; `loaded` reads them."""
    return [[one.sensor, str(one.since), one.interval_s] for one in members]


def loaded(rows: Iterable[Iterable[Any]]) -> list[Member]:
    return [
        Member(sensor, np.datetime64(since, "us"), interval_s) for sensor, since, interval_s in rows
    ]


Asked = tuple[Era, np.datetime64, np.datetime64]


def rows_between(era: Era, since: np.datetime64, until: np.datetime64) -> Rows:
    """The rows with since <= start < until in which the machine ran; both on the grid."""
    return rows_of([(era, since, until)])[0]


def rows_of(asked: Sequence[Asked]) -> list[Rows]:
    """The same of each (era, since, until), in that order."""
    if not asked:
        return []
    spans = [
        (place, sensor, era.step_s, *map(to_datetime, (era.begin, since, until)))
        for place, (era, since, until) in enumerate(asked)
        for sensor in era.sensors
    ]
    found = copied(_MEANS, [list(column) for column in zip(*spans, strict=True)], _COLUMNS)
    order = np.argsort(found["place"], kind="stable")
    edges = np.searchsorted(found["place"][order], np.arange(len(asked) + 1))
    starts = as_times(found["start"])
    tables = [
        table(era, found["sensor_id"][own], starts[own], found["mean"][own])
        for (era, _, _), own in zip(asked, np.split(order, edges[1:-1]), strict=True)
    ]
    return _conditioned([era for era, _, _ in asked], tables)


def _conditioned(eras: Sequence[Era], tables: Sequence[Rows]) -> list[Rows]:
    """Without the rows that the machine did not run in, and with what a person confirmed."""
    blamed = exclusions.known_of({sensor for era in eras for sensor in era.sensors})
    told = states.told_of([era.sensors[0] for era in eras])
    found = []
    for era, own in zip(eras, tables, strict=True):
        rows = own if blamed.isdisjoint(era.sensors) else _blamed(era, own)
        found.append(_running(era, rows) if era.sensors[0] in told else rows)
    return found


def _blamed(era: Era, rows: Rows) -> Rows:
    return replace(rows, faulty=exclusions.rows_left_out(era.sensors, rows.times, era.step))


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

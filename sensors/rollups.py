"""Roll-ups kept up: the minutes that are noted are computed anew from their readings.

A pass locks sensors, takes their notes, computes the noted minutes and the hours they lie in, and
deletes exactly the notes it took, all in one transaction: killed at any moment it has done nothing,
and its notes are still there. The lock is a sensor's, so of two passes the later one sees what the
earlier one saw and more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import connection
from django.db.models import QuerySet

from sensors import levels, store
from sensors.minutes import (
    Hours,
    IntArray,
    Minutes,
    floor_to_hour,
    hours_of,
    minutes_of,
)
from sensors.models import RollupNote
from sensors.series import to_datetime64
from sensors.windows import Windows

# One pass: sensors, notes, minutes of all of them together. A longer stretch is left as a new note.
SENSORS, NOTES, MINUTES = 200, 20_000, 7 * 24 * 60
# Sensors that a pass may find locked by others before it gives up.
CANDIDATES = 1_000
# Rows in memory at once; more are read in turns.
ROWS = 400_000

# The inner LIMIT comes first, so no more than these sensors are tried; xact: freed by the commit.
_CLAIM = """
SELECT sensor_id FROM (
    SELECT sensor_id, min(id) AS oldest FROM sensors_rollupnote
    WHERE %s::bigint[] IS NULL OR sensor_id = ANY(%s::bigint[])
    GROUP BY sensor_id ORDER BY oldest LIMIT %s
) noted
WHERE pg_try_advisory_xact_lock(hashtextextended('sensors.rollups ' || sensor_id, 0))
LIMIT %s
"""
_LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended('sensors.rollups ' || sensor_id, 0))
FROM unnest(%s::bigint[]) AS one (sensor_id)
"""
_NOTES = """
SELECT id, sensor_id, since, until FROM sensors_rollupnote
WHERE sensor_id = ANY(%s::bigint[]) ORDER BY id LIMIT %s
"""
_KEPT = """
SELECT sensor_id, kept_from, minutes_kept_from FROM sensors_sensorprofile
WHERE sensor_id = ANY(%s::bigint[]) AND (kept_from IS NOT NULL OR minutes_kept_from IS NOT NULL)
"""
_NOTE = """
INSERT INTO sensors_rollupnote (sensor_id, since, until)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
"""
_REBUILD = """
INSERT INTO sensors_rollupnote (sensor_id, since, until)
SELECT id, greatest(first, kept_from, %s::timestamptz), last FROM (
    SELECT s.id, p.kept_from,
        least((SELECT min(time) FROM sensors_reading r WHERE r.sensor_id = s.id),
            (SELECT min(time) FROM sensors_hourrollup h WHERE h.sensor_id = s.id)) AS first,
        greatest((SELECT max(time) FROM sensors_reading r WHERE r.sensor_id = s.id),
            (SELECT max(time) FROM sensors_hourrollup h WHERE h.sensor_id = s.id)) AS last
    FROM sensors_sensor s LEFT JOIN sensors_sensorprofile p ON p.sensor_id = s.id
    WHERE %s::bigint[] IS NULL OR s.id = ANY(%s::bigint[])
) span
WHERE last >= greatest(first, kept_from, %s::timestamptz)
"""


@dataclass(frozen=True, slots=True)
class Rolled:
    """What passes did: sensors worked on, notes taken, minutes looked at."""

    sensors: int = 0
    notes: int = 0
    minutes: int = 0

    def __add__(self, other: Rolled) -> Rolled:
        return Rolled(
            self.sensors + other.sensors,
            self.notes + other.notes,
            self.minutes + other.minutes,
        )


def roll_up(
    *,
    sensors: Sequence[int] | None = None,
    seconds: float = float("inf"),
    on_pass: Callable[[Rolled], None] = lambda _rolled: None,
) -> Rolled:
    """Passes until nothing is noted that no other pass works on, or the seconds are over.

    sensors: only these. on_pass is told what each pass did.
    """
    begun, total = time.monotonic(), Rolled()
    while time.monotonic() - begun < seconds:
        rolled = store.in_transaction(lambda: _pass(sensors))
        if not rolled.sensors:
            break
        total += rolled
        on_pass(rolled)
    return total


def lock(sensors: Sequence[int]) -> None:
    """Wait until no pass works on these sensors; none does before the transaction's end."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [list(sensors)])


def note_all(*, sensors: Sequence[int] | None = None, since: datetime | None = None) -> int:
    """Note all that is stored, of these sensors or all, to be computed anew; how many notes."""
    chosen = None if sensors is None else list(sensors)
    with connection.cursor() as cursor:
        cursor.execute(_REBUILD, [since, chosen, chosen, since])
        return int(cursor.rowcount)


def notes_of(sensors: Sequence[int] | None = None) -> QuerySet[RollupNote]:
    """The open notes, of these sensors or of all."""
    notes = RollupNote.objects.all()
    return notes if sensors is None else notes.filter(sensor__in=sensors)


def minutes_noted(sensors: Sequence[int] | None = None) -> int:
    """Minutes that are noted: what a progress bar runs up to."""
    notes = notes_of(sensors).values_list("id", "sensor_id", "since", "until")
    return _windows(list(notes)).joined().length


def _pass(sensors: Sequence[int] | None) -> Rolled:
    chosen = None if sensors is None else list(sensors)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [chosen, chosen, CANDIDATES, SENSORS])
        claimed = [sensor for (sensor,) in cursor.fetchall()]
        # A statement of its own: what an earlier holder of a lock committed is seen by it.
        cursor.execute(_NOTES, [claimed, NOTES])
        notes = cursor.fetchall()
    if not notes:
        return Rolled()
    windows, minutes_from = _within_what_is_kept(_windows(notes))
    now, rest = windows.cut(MINUTES)
    _recompute(now, minutes_from)
    _close([note for note, *_ in notes], rest)
    return Rolled(len({sensor for _, sensor, *_ in notes}), len(notes), now.length)


def _windows(notes: Sequence[tuple[int, int, datetime, datetime]]) -> Windows:
    columns = list(zip(*notes, strict=True)) or [(), (), (), ()]
    since, until = (_minutes(column) for column in columns[2:])
    return Windows(np.array(columns[1], dtype=np.int64), since, until + 1)


def _minutes(times: Sequence[datetime]) -> IntArray:
    return minutes_of(np.array([to_datetime64(at) for at in times], dtype="datetime64[us]"))


def _within_what_is_kept(windows: Windows) -> tuple[Windows, dict[int, int]]:
    """What can be computed: no minute before the sensor's readings were dropped; and where its
    minutes were, whole hours. Also the first minute kept, of sensors that lost some."""
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, [np.unique(windows.sensor_ids).tolist()])
        rows = cursor.fetchall()
    first = {sensor: int(_minutes([at])[0]) for sensor, at, _ in rows if at}
    minutes_from = {sensor: int(_minutes([at])[0]) for sensor, _, at in rows if at}
    whole = windows.in_whole_hours(_each(minutes_from, windows.sensor_ids))
    return whole.from_on(_each(first, whole.sensor_ids)).joined(), minutes_from


def _each(limits: dict[int, int], sensor_ids: IntArray) -> IntArray:
    """The limit of each; one that lies before all time where there is none."""
    never = np.iinfo(np.int32).min
    return np.array([limits.get(sensor, never) for sensor in sensor_ids.tolist()], dtype=np.int64)


def _recompute(windows: Windows, minutes_from: dict[int, int]) -> None:
    """Compute these windows, as many rows at once as fit."""
    limit = ROWS
    while len(windows):
        rows = levels.readings(windows, limit)
        if len(rows) < limit:
            done, rest = windows, windows.take(np.zeros(len(windows), dtype=bool))
        else:
            done, rest = windows.cut_at(*_cut(rows, minutes_from))
        fresh = rows.in_minutes()
        fresh = fresh.take(done.cover(fresh))
        if len(done):
            _store(done, fresh, minutes_from)
            windows, limit = rest, ROWS
        else:
            limit *= 2  # Not even one minute, or hour, of one sensor.


def _cut(rows: levels.Readings, minutes_from: dict[int, int]) -> tuple[int, int]:
    """Where what was read is surely whole: before the last row's minute, or before its hour where
    an hour's minutes are not kept and nothing else remembers its first half."""
    sensor, minute = int(rows.sensor_ids[-1]), minutes_of(rows.times[-1:])
    if minute[0] < minutes_from.get(sensor, minute[0]):
        minute = floor_to_hour(minute)
    return sensor, int(minute[0])


def _store(windows: Windows, fresh: Minutes, minutes_from: dict[int, int]) -> None:
    """Put the fresh minutes of these windows in the place of what was there, hours with them."""
    touched = windows.hours()
    before = levels.stored(*touched)
    minutes = before.take(~windows.cover(before)).joined(fresh)
    hours = hours_of(minutes)
    levels.put(minutes, hours, hours.hours >= _each(minutes_from, hours.sensor_ids))
    levels.delete(_without(touched, hours))


def _without(touched: tuple[IntArray, IntArray], hours: Hours) -> list[tuple[int, int]]:
    """The touched hours in which nothing is left."""
    filled = set(zip(hours.sensor_ids.tolist(), hours.hours.tolist(), strict=True))
    each = zip(touched[0].tolist(), touched[1].tolist(), strict=True)
    return [hour for hour in each if hour not in filled]


def _close(notes: list[int], rest: Windows) -> None:
    """Delete the notes that were taken, and note what is left of them."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM sensors_rollupnote WHERE id = ANY(%s::bigint[])", [notes])
        if len(rest):
            until = [at - timedelta(microseconds=1) for at in levels.datetimes(rest.until)]
            cursor.execute(_NOTE, [rest.sensor_ids.tolist(), levels.datetimes(rest.since), until])

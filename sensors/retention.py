"""What is past its retention goes: readings by kind, then minute roll-ups; hours stay.

First a sensor's horizon is moved (SensorProfile.kept_from, minutes_kept_from), then what lies
before it is dropped. From the moment the horizon is committed no roll-up before it is computed
again and no reading before it is accepted, so it makes no difference when the dropping happens, how
often it is begun, or that a chunk goes later than its rows would have.

A horizon never passes what is noted: neither a reading that waits to be rolled up nor one that
waits to be scored.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from sensors import dropping, keeping, rollups, store
from sensors.models import RetentionRun, Sensor, SensorProfile

logger = logging.getLogger(__name__)

# Sensors whose horizon is moved at once: each costs a lock.
SENSORS = 200
# Rows of packed minutes, an hour each, that one transaction deletes.
HOURS = 5_000

_OPEN = "(SELECT min(since) FROM {table} n WHERE n.sensor_id = p.sensor_id)"
# Up to the hour of the oldest note: least() passes over a null.
_CUTOFFS = """
SELECT p.sensor_id, p.first_time, p.{horizon} AS horizon, least(%s::timestamptz{notes}) AS cutoff
FROM sensors_sensorprofile p WHERE p.sensor_id = ANY(%s::bigint[])
"""
_ADVANCE = """
UPDATE sensors_sensorprofile p SET {horizon} = c.cutoff FROM ({cutoffs}) c
WHERE p.sensor_id = c.sensor_id AND c.first_time < c.cutoff
    AND (c.horizon IS NULL OR c.horizon < c.cutoff)
"""
_FORECAST = """
SELECT count(DISTINCT c.sensor_id), coalesce(sum(h.count), 0) FROM ({cutoffs}) c
JOIN sensors_hourrollup h ON h.sensor_id = c.sensor_id AND h.time < c.cutoff
    AND (c.horizon IS NULL OR h.time >= c.horizon)
"""
_HELD = """
SELECT count(*) FROM ({cutoffs}) c
WHERE c.cutoff < %s AND c.first_time < %s AND (c.horizon IS NULL OR c.horizon < %s)
"""
_DELETE_MINUTES = """
DELETE FROM sensors_minuterollups WHERE ctid = ANY(ARRAY(
    SELECT m.ctid FROM sensors_sensorprofile p
    JOIN sensors_minuterollups m ON m.sensor_id = p.sensor_id AND m.time < p.minutes_kept_from
    LIMIT %s
))
"""


@dataclass(frozen=True, slots=True)
class _Horizon:
    """A column of SensorProfile, and the notes that it does not pass."""

    column: str
    notes: tuple[str, ...]

    def sql(self, template: str) -> str:
        notes = "".join(
            f", date_trunc('hour', {_OPEN.format(table=table)}, 'UTC')" for table in self.notes
        )
        cutoffs = _CUTOFFS.format(horizon=self.column, notes=notes)
        return template.format(horizon=self.column, cutoffs=cutoffs)


_READINGS = _Horizon("kept_from", ("sensors_rollupnote", "sensors_scoringnote"))
_MINUTES = _Horizon("minutes_kept_from", ("sensors_rollupnote",))


@dataclass(frozen=True, slots=True)
class Due:
    """What a kind's retention asks for. readings: as the hour roll-ups have them; sensors: that
    have some; held: sensors of which notes hold back a part."""

    kind: str
    days: int
    cutoff: datetime
    sensors: int
    readings: int
    held: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """What went: rows that were deleted, chunks and their bytes, hours of packed minutes. held:
    sensors of which open notes held back a part."""

    readings: int = 0
    chunks: int = 0
    bytes: int = 0
    minute_hours: int = 0
    held: int = 0


def due(*, now: datetime) -> Iterator[Due]:
    """What `drop` would do about readings, by kind."""
    for kind in keeping.EVERY_KIND:
        cutoff = keeping.dropped_before(kind, now)
        if cutoff is None:
            continue
        sensors = readings = held = 0
        for ids in _batches(kind):
            found, rows = _ask(_READINGS.sql(_FORECAST), cutoff, ids)
            sensors, readings = sensors + found, readings + int(rows)
            held += _held(_READINGS, cutoff, ids)
        yield Due(kind, keeping.days_of(kind), cutoff, sensors, readings, held)


def drop(
    *,
    now: datetime,
    seconds: float = float("inf"),
    on_step: Callable[[str], None] = logger.info,
) -> Dropped:
    """Drop all that is past its retention and that no note holds.

    seconds: after so many no further slice of rows is deleted; the next run goes on from there.
    on_step is told what goes.
    """
    if not keeping.is_limited():
        return Dropped()
    begun = time.monotonic()
    dropped = Dropped(held=_advance_all(now))
    dropped = _drop_chunks(dropped, now, on_step)
    dropped = _delete_rows(dropped, lambda: time.monotonic() - begun < seconds, on_step)
    dropped = replace(dropped, minute_hours=_delete_minutes())
    if dropped.minute_hours:
        on_step(f"minute roll-ups of {dropped.minute_hours:,} hours")
    RetentionRun.objects.create(
        started_at=now,
        readings=dropped.readings,
        chunks=dropped.chunks,
        bytes=dropped.bytes,
        minute_hours=dropped.minute_hours,
        held=dropped.held,
    )
    return dropped


def _advance_all(now: datetime) -> int:
    """Move the horizons of all sensors; of how many notes held back a part."""
    held = 0
    minutes = keeping.minutes_dropped_before(now)
    for kind in keeping.EVERY_KIND:
        readings = keeping.dropped_before(kind, now)
        for ids in _batches(kind):
            held += _advance(_READINGS, readings, ids) if readings else 0
            if minutes:
                _advance(_MINUTES, minutes, ids)
    return held


def _advance(horizon: _Horizon, cutoff: datetime, ids: list[int]) -> int:
    def work() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '10s'")
            rollups.lock(ids)
            cursor.execute(horizon.sql(_ADVANCE), [cutoff, ids])
        return _held(horizon, cutoff, ids)

    return store.in_transaction(work)


def _held(horizon: _Horizon, cutoff: datetime, ids: list[int]) -> int:
    (held,) = _ask(horizon.sql(_HELD), cutoff, ids, cutoff, cutoff, cutoff)
    return int(held)


def _drop_chunks(dropped: Dropped, now: datetime, on_step: Callable[[str], None]) -> Dropped:
    cutoff = chunks_cutoff(now)
    for chunk in dropping.chunks_before(cutoff) if cutoff else ():
        gone = dropping.drop_chunk(chunk)
        if gone:
            on_step(f"a chunk of {chunk.size / 2**20:,.1f} MiB until {chunk.end:%Y-%m-%d} UTC")
            dropped = replace(
                dropped, chunks=dropped.chunks + gone, bytes=dropped.bytes + chunk.size
            )
    return dropped


def chunks_cutoff(now: datetime) -> datetime | None:
    """Chunks before this hold nothing that is kept. None while a kind is kept for ever, for then
    one of its sensors may send old readings at any moment."""
    limits = [keeping.dropped_before(kind, now) for kind in keeping.EVERY_KIND]
    if None in limits:
        return None
    oldest = min(limit for limit in limits if limit)
    (held,) = _ask(
        "SELECT min(coalesce(kept_from, first_time)) FROM sensors_sensorprofile "
        "WHERE first_time < %s AND (kept_from IS NULL OR kept_from < %s)",
        oldest,
        oldest,
    )
    return min(oldest, held) if held else oldest


def _delete_rows(
    dropped: Dropped, go_on: Callable[[], bool], on_step: Callable[[str], None]
) -> Dropped:
    """What no chunk took with it: of sensors whose kind is kept for less, or of a plain table."""
    for sensor_id, external_id, kept_from in _sensors_with_a_horizon():
        rows = dropping.delete_before(sensor_id, kept_from, go_on=go_on)
        if rows:
            on_step(f"{external_id}: {rows:,} readings before {kept_from:%Y-%m-%d %H:%M} UTC")
            dropped = replace(dropped, readings=dropped.readings + rows)
    return dropped


def _sensors_with_a_horizon() -> list[tuple[int, str, datetime]]:
    profiles = SensorProfile.objects.filter(kept_from__isnull=False).order_by("sensor_id")
    rows = profiles.values_list("sensor_id", "sensor__external_id", "kept_from")
    return [(sensor, name, kept_from) for sensor, name, kept_from in rows if kept_from]


def _delete_minutes() -> int:
    """Delete packed minutes before their sensors' horizons, some at a time; how many hours."""
    deleted = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_DELETE_MINUTES, [HOURS])
            deleted += cursor.rowcount
            if cursor.rowcount < HOURS:
                return deleted


def _batches(kind: str) -> Iterator[list[int]]:
    ids = list(Sensor.objects.filter(kind=kind).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), SENSORS):
        yield ids[start : start + SENSORS]


def _ask(query: str, *params: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        row: tuple[Any, ...] = cursor.fetchone()
        return row

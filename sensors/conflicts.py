"""A second value for a (sensor, time): found, settled by READING_CONFLICTS, and written down.

Two readings of one time are equal when their values are, as numbers. Nothing else of them counts:
quality and flags also say when a reading arrived, so the same reading sent again has others; kind
and unit describe the sensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from sensors import corrections, notes, statements
from sensors.counters import CONFLICTS
from sensors.models import IngestKey, ReadingConflict
from sensors.series import FloatArray, TimeArray, to_datetime
from sensors.statements import Array
from sensors.store import BoolArray, Columns, IntArray

Resolution = ReadingConflict.Resolution

# One look-up by the primary key for each, however far apart they are; the bounds of all of them
# let the planner leave other chunks out.
_DIFFERING = """
SELECT came.place, there.value
FROM unnest(%s::bigint[], %s::timestamptz[], %s::float8[])
    WITH ORDINALITY AS came (sensor_id, time, value, place)
CROSS JOIN LATERAL (
    SELECT r.value FROM sensors_reading r
    WHERE r.sensor_id = came.sensor_id AND r.time = came.time
        AND r.time >= %s::timestamptz AND r.time <= %s::timestamptz
    OFFSET 0
) there
WHERE there.value <> came.value
ORDER BY came.place
"""
_REPLACE = """
UPDATE sensors_reading r SET value = came.value, quality = came.quality, flags = came.flags
FROM unnest(%s::bigint[], %s::timestamptz[], %s::float8[], %s::float4[], %s::smallint[])
    AS came (sensor_id, time, value, quality, flags)
WHERE r.sensor_id = came.sensor_id AND r.time = came.time
    AND r.time >= %s::timestamptz AND r.time <= %s::timestamptz
"""
_LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended('sensors.conflicts ' || sensor_id, 0))
FROM unnest(%s::bigint[]) AS one (sensor_id)
"""
_RECORD = """
INSERT INTO sensors_readingconflict (
    sensor_id, time, kept, other, resolution, key_id, source, received_at)
SELECT sensor_id, time, kept, other, %s::text, %s::bigint, %s::text, %s::timestamptz
FROM unnest(%s::bigint[], %s::timestamptz[], %s::float8[], %s::float8[])
    AS clash (sensor_id, time, kept, other)
ORDER BY sensor_id, time, kept, other
ON CONFLICT (sensor_id, time, kept, other) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Clashes:
    """Pairs of values for one (sensor, time); arrays of shape (n,), values in the sensors' units.

    rows: places of the readings that came second, among those that were asked about.
    """

    rows: IntArray
    sensor_ids: IntArray
    times: TimeArray
    kept: FloatArray
    other: FloatArray

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def none(cls) -> Clashes:
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing.astype("datetime64[us]"), np.zeros(0), np.zeros(0))

    def take(self, rows: NDArray[Any]) -> Clashes:
        return Clashes(*(getattr(self, name)[rows] for name in self.__slots__))

    def joined(self, other: Clashes) -> Clashes:
        both = ([getattr(self, name), getattr(other, name)] for name in self.__slots__)
        return Clashes(*map(np.concatenate, both))


def resolution() -> Resolution:
    """What becomes of a second value, as the settings have it."""
    return Resolution(settings.READING_CONFLICTS)


def within(readings: Columns, chosen: IntArray) -> Clashes:
    """Readings of one batch that another of their (sensor, time), the chosen one, contradicts.

    chosen: places of one reading of each (sensor, time), sorted by it.
    """
    if len(chosen) == len(readings):
        return Clashes.none()
    kept = readings.values[chosen][_pairs(readings, chosen)]
    rows = np.flatnonzero(kept != readings.values)
    return _clashes(readings, rows, kept=kept[rows], other=readings.values[rows])


def settle(
    readings: Columns, chosen: IntArray, within: Clashes, is_new: BoolArray, how: Resolution
) -> tuple[int, Clashes]:
    """How many readings took the place of others, and all that clash, with each other or with what
    is stored. Needs a transaction.

    readings: of a batch; is_new: which of the chosen ones have just been stored.
    """
    if how is Resolution.KEEP_LAST:
        replacing = _with_stored(readings, chosen[~is_new], how)
        if len(replacing):
            _replace(readings, replacing)
        return len(replacing), within.joined(replacing)
    is_stored_now = is_new[_pairs(readings, chosen)]
    among_new = within.take(is_stored_now[within.rows])
    return 0, among_new.joined(_with_stored(readings, np.flatnonzero(~is_stored_now), how))


def record(
    clashes: Clashes, how: Resolution, *, key: IngestKey | None, source: str, now: datetime
) -> None:
    """Write conflicts down, each pair of values once."""
    if not len(clashes):
        return
    columns = (
        Array("int8", clashes.sensor_ids),
        statements.times(clashes.times),
        Array("float8", clashes.kept),
        Array("float8", clashes.other),
    )
    statements.run(_RECORD, (how.value, key.pk if key else None, source, now, *columns))


def count(clashes: int, how: Resolution) -> None:
    """For /metrics, after the commit."""
    if clashes:
        CONFLICTS.labels(how.value).inc(clashes)


def prune(*, now: datetime) -> int:
    """Forget conflicts past QUARANTINE_RETENTION_DAYS. Returns how many."""
    age = timedelta(days=settings.QUARANTINE_RETENTION_DAYS)
    removed: int = ReadingConflict.objects.older_than(age, now=now).delete_in_pieces()
    return removed


def _with_stored(readings: Columns, rows: IntArray, how: Resolution) -> Clashes:
    """Which of these rows are stored with another value.

    Where the last is to be kept nobody else replaces readings of these sensors meanwhile.
    """
    there = readings.take(rows)
    if not len(there):
        return Clashes.none()
    if how is Resolution.KEEP_LAST:
        statements.run(_LOCK, (Array("int8", np.unique(there.sensor_ids)),))
    sensors, times, values, *_ = there.params()
    found = statements.run(_DIFFERING, (sensors, times, values, *_bounds(there))).fetchall()
    if not found:
        return Clashes.none()
    places, stored = (np.array(column) for column in zip(*found, strict=True))
    rows = rows[places - 1]
    came = readings.values[rows]
    if how is Resolution.KEEP_LAST:
        return _clashes(readings, rows, kept=came, other=stored)
    return _clashes(readings, rows, kept=stored, other=came)


def _replace(readings: Columns, clashes: Clashes) -> None:
    """Put the readings that came in the place of those that are stored, with all that follows:
    notes of what is to be scored and rolled up again, and the profiles."""
    fresh = readings.take(clashes.rows)
    statements.run(_REPLACE, (*fresh.params(), *_bounds(fresh)))
    notes.write(fresh)
    corrections.correct(fresh, was=clashes.other)


def _pairs(readings: Columns, chosen: IntArray) -> IntArray:
    """Of each reading the place in `chosen` of the one of its (sensor, time)."""
    order = np.lexsort((readings.times, readings.sensor_ids))
    ids, times = readings.sensor_ids[order], readings.times[order]
    is_next = np.zeros(len(order), dtype=bool)
    is_next[1:] = (ids[1:] != ids[:-1]) | (times[1:] != times[:-1])
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.cumsum(is_next)
    assert len(chosen) == (places.max(initial=-1) + 1)  # noqa: S101  else rows would be mixed up
    return places


def _clashes(readings: Columns, rows: IntArray, *, kept: FloatArray, other: FloatArray) -> Clashes:
    return Clashes(rows, readings.sensor_ids[rows], readings.times[rows], kept, other)


def _bounds(readings: Columns) -> tuple[datetime, datetime]:
    return to_datetime(readings.times.min()), to_datetime(readings.times.max())

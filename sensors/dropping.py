"""Readings out of the table for good: whole chunks, or rows a slice at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from sensors import store

# Rows that one transaction deletes at most.
SLICE = 20_000

# Given up long before PostgreSQL looks for deadlocks (1 s) and tried again, so nobody else is ever
# the victim.
_PATIENCE = "SET LOCAL lock_timeout = '200ms'"
_CHUNKS = """
SELECT range_end,
    coalesce(pg_total_relation_size(to_regclass(format('%%I.%%I', chunk_schema, chunk_name))), 0)
FROM timescaledb_information.chunks
WHERE hypertable_schema = current_schema() AND hypertable_name = 'sensors_reading'
    AND range_end <= %s ORDER BY range_end
"""
_SLICE_END = """
SELECT time FROM sensors_reading WHERE sensor_id = %s AND time >= %s AND time < %s
ORDER BY time OFFSET %s LIMIT 1
"""
_OLDEST = "SELECT min(time) FROM sensors_reading WHERE sensor_id = %s AND time < %s"
_DELETE = "DELETE FROM sensors_reading WHERE sensor_id = %s AND time >= %s AND time < %s"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the hypertable, up to `end` (exclusive). size: bytes on disk, with indexes."""

    end: datetime
    size: int


def chunks_before(cutoff: datetime) -> list[Chunk]:
    """Chunks that lie wholly before `cutoff`, oldest first; a plain table has none."""
    if not store.is_hypertable():
        return []
    with connection.cursor() as cursor:
        cursor.execute(_CHUNKS, [cutoff])
        return [Chunk(end, size) for end, size in cursor.fetchall()]


def drop_chunk(chunk: Chunk) -> int:
    """Remove a chunk and what lies before it; how many went, 0 when it was gone already."""

    def work() -> int:
        with connection.cursor() as cursor:
            cursor.execute(_PATIENCE)
            cursor.execute("SELECT drop_chunks('sensors_reading', older_than => %s)", [chunk.end])
            return int(cursor.rowcount)

    return store.in_transaction(work)


def delete_before(
    sensor_id: int, cutoff: datetime, *, go_on: Callable[[], bool] = lambda: True
) -> int:
    """Delete a sensor's readings before `cutoff`, so many at once; how many there were.

    go_on is asked before each slice.
    """
    begin, deleted = _one(_OLDEST, sensor_id, cutoff), 0
    while begin is not None and begin < cutoff and go_on():
        end = _one(_SLICE_END, sensor_id, begin, cutoff, SLICE) or cutoff
        rows = store.in_transaction(lambda begin=begin, end=end: _delete(sensor_id, begin, end))  # type: ignore[misc]
        deleted, begin = deleted + rows, end
    return deleted


def _delete(sensor_id: int, begin: datetime, end: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
        cursor.execute(_DELETE, [sensor_id, begin, end])
        return int(cursor.rowcount)


def _one(query: str, *params: Any) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        row = cursor.fetchone()
        return row[0] if row else None

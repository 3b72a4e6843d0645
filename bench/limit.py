"""What storing readings is measured against: PostgreSQL's own COPY of the same rows."""

from __future__ import annotations

import numpy as np
import psycopg

from bench.chunk_interval import DTYPE, HEADER, TRAILER
from sensors import store

COPY = "binary COPY and commit of the same rows into an equal table"
_EQUAL_TABLE = """
DROP TABLE IF EXISTS bench_reading;
CREATE TABLE bench_reading (LIKE sensors_reading INCLUDING ALL);
"""
_EQUAL_HYPERTABLE = """
SELECT create_hypertable('bench_reading', by_range('time', INTERVAL '7 days'),
    create_default_indexes => false)
"""


def make_table(plain: psycopg.Connection) -> None:
    """An empty table with the columns, the primary key and the chunks of the readings'."""
    plain.execute(_EQUAL_TABLE)
    if store.is_hypertable():
        plain.execute(_EQUAL_HYPERTABLE)


def copied(plain: psycopg.Connection, ready: bytes, table: str = "bench_reading") -> None:
    columns = "sensor_id, time, value, quality, flags"
    statement = f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)"
    with plain.cursor() as cursor, cursor.copy(statement) as copy:  # autocommit
        copy.write(ready)


def packed(columns: store.Columns) -> bytes:
    """The rows as COPY reads them, in the order in which they are sent to every contender. Whoever
    sorts them first, as the acquisition does, does so in his own time."""
    rows = np.zeros(len(columns), DTYPE)
    rows["fields"], rows["a"], rows["b"], rows["c"], rows["d"], rows["e"] = 5, 8, 8, 8, 4, 2
    rows["sensor"], rows["value"] = columns.sensor_ids, columns.values
    rows["time"] = (columns.times - np.datetime64("2000-01-01", "us")).astype(np.int64)
    rows["quality"] = columns.quality
    return HEADER + rows.tobytes() + TRAILER

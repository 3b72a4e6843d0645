"""Which chunk interval? Ingest and window queries on hypertables that differ in nothing else.

    DATABASE_URL=postgresql://... python bench/chunk_interval.py

100 sensors, one reading a minute for 28 days, committed in batches of 10,000 in the order of time,
as they arrive; then the two queries that detection and charts make. Leaves nothing behind.
"""

from __future__ import annotations

import os
import time

import numpy as np
import psycopg

SENSORS, DAYS, BATCH, QUERIES = 100, 28, 10_000, 300
MINUTES = DAYS * 24 * 60
DTYPE = np.dtype([
    ("fields", ">i2"), ("a", ">i4"), ("sensor", ">i8"), ("b", ">i4"), ("time", ">i8"),
    ("c", ">i4"), ("value", ">f8"), ("d", ">i4"), ("quality", ">f4"), ("e", ">i4"),
    ("flags", ">i2"),
])  # fmt: skip
WINDOW = """
SELECT time, value FROM bench_reading WHERE sensor_id = %(sensor)s
AND time < timestamptz '2000-01-01 00:00+00' + %(day)s::interval ORDER BY time DESC LIMIT 256
"""
A_DAY = """
SELECT date_bin('5 minutes', time, '2000-01-01'), min(value), max(value), avg(value)
FROM bench_reading WHERE sensor_id = %(sensor)s
AND time > timestamptz '2000-01-01 00:00+00' + %(day)s::interval - interval '1 day'
AND time <= timestamptz '2000-01-01 00:00+00' + %(day)s::interval GROUP BY 1
"""
HEADER, TRAILER = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"


def batches() -> list[bytes]:
    sensor, minute = np.tile(np.arange(SENSORS), MINUTES), np.repeat(np.arange(MINUTES), SENSORS)
    rows = np.zeros(len(sensor), DTYPE)
    rows["fields"], rows["a"], rows["b"], rows["c"], rows["d"], rows["e"] = 5, 8, 8, 8, 4, 2
    rows["sensor"], rows["time"] = sensor, minute * 60_000_000 + sensor
    rows["value"] = np.random.default_rng(1).normal(size=len(rows))
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    ordered = [part[np.lexsort((part["time"], part["sensor"]))] for part in parts]
    return [HEADER + part.tobytes() + TRAILER for part in ordered]


def ingest(connection: psycopg.Connection, parts: list[bytes]) -> float:
    statement = "COPY bench_reading FROM STDIN (FORMAT BINARY)"
    begun = time.perf_counter()
    for part in parts:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:  # autocommit
            copy.write(part)
    return SENSORS * MINUTES / (time.perf_counter() - begun)


def milliseconds(connection: psycopg.Connection, query: str) -> float:
    """Mean time of a query about a random sensor at a random day (parameters `sensor`, `day`)."""
    rng = np.random.default_rng(2)
    connection.execute("ANALYZE bench_reading")
    begun = time.perf_counter()
    for _ in range(QUERIES):
        day = f"{int(rng.integers(5, DAYS))} days"
        connection.execute(query, {"sensor": int(rng.integers(SENSORS)), "day": day}).fetchall()
    return (time.perf_counter() - begun) / QUERIES * 1000


def measure(connection: psycopg.Connection, interval: str, parts: list[bytes]) -> None:
    connection.execute("DROP TABLE IF EXISTS bench_reading")
    connection.execute(
        "CREATE TABLE bench_reading (sensor_id bigint, time timestamptz, value float8, "
        "quality float4, flags int2, PRIMARY KEY (sensor_id, time))"
    )
    connection.execute(
        f"SELECT create_hypertable('bench_reading', by_range('time', INTERVAL '{interval}'), "
        "create_default_indexes => false)"
    )
    rate = ingest(connection, parts)
    window, day = milliseconds(connection, WINDOW), milliseconds(connection, A_DAY)
    print(f"{interval:>8}: {rate:>9,.0f} rows/s, last 256 {window:.2f} ms, a day {day:.2f} ms")


def main() -> None:
    parts = batches()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        for interval in ("1 day", "7 days", "30 days"):
            measure(connection, interval, parts)
        connection.execute("DROP TABLE bench_reading")


if __name__ == "__main__":
    main()

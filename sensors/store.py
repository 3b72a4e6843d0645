"""Readings into and out of the table: binary COPY, once per (sensor, time), old ones dropped.

A few rows are one INSERT. The fast path for many is one COPY straight into the table; where a
reading is there already, that transaction, and only it, is begun again and the rows go through a
staging table with ON CONFLICT DO NOTHING.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import psycopg
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from numpy.typing import NDArray

from sensors import statements
from sensors.series import FloatArray, TimeArray, to_datetime64
from sensors.statements import Array, since_postgres_epoch
from smartmaint.lib.breaker import Breaker

log = logging.getLogger(__name__)
T = TypeVar("T")
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

ATTEMPTS = 8
# What passes when the same transaction is tried again. The last three are what a write or a read
# meets when drop_chunks removed the chunk it had picked.
PASSING = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
)
_PAUSE_S = 0.02

AWAY: tuple[type[Exception], ...] = (OperationalError, InterfaceError)
breaker = Breaker("store", cool_down_s=5)

_COLUMNS = "sensor_id, time, value, quality, flags"
# Up to so many rows one INSERT is quicker than a savepoint and COPY.
FEW = 64
INSERT = f"""
INSERT INTO sensors_reading ({_COLUMNS})
SELECT * FROM unnest(
    %s::bigint[], %s::timestamptz[], %s::float8[], %s::float4[], %s::smallint[])
"""  # noqa: S608  constants of this module only
_INSERT_MISSING = f"{INSERT} ON CONFLICT (sensor_id, time) DO NOTHING RETURNING sensor_id, time"
# COPY's binary format: a header, then per row the number of fields and each field with its length.
_HEADER = np.frombuffer(b"PGCOPY\n\xff\r\n\x00" + bytes(8), np.uint8)
_TRAILER = np.frombuffer(b"\xff\xff", np.uint8)
_ROW = np.dtype([
    ("fields", ">i2"),
    ("sensor_bytes", ">i4"), ("sensor", ">i8"),
    ("time_bytes", ">i4"), ("time", ">i8"),
    ("value_bytes", ">i4"), ("value", ">f8"),
    ("quality_bytes", ">i4"), ("quality", ">f4"),
    ("flags_bytes", ">i4"), ("flags", ">i2"),
])  # fmt: skip
_EMPTY_ROW = np.array([(5, 8, 0, 8, 0, 8, 0, 4, 0, 2, 0)], _ROW).view(np.uint8)
_PAIR = np.dtype([
    ("fields", ">i2"),
    ("sensor_bytes", ">i4"), ("sensor", ">i8"),
    ("time_bytes", ">i4"), ("time", ">i8"),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """Readings to store, all of shape (n,): sensor ids, UTC datetime64[us], values, 0..1, bits."""

    sensor_ids: IntArray
    times: TimeArray
    values: FloatArray
    quality: FloatArray
    flags: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.sensor_ids)

    def take(self, rows: NDArray[Any]) -> Columns:
        return Columns(
            self.sensor_ids[rows],
            self.times[rows],
            self.values[rows],
            self.quality[rows],
            self.flags[rows],
        )

    def params(self) -> tuple[object, ...]:
        """What INSERT asks for."""
        return (
            Array("int8", self.sensor_ids),
            statements.times(self.times),
            Array("float8", self.values),
            Array("float4", self.quality),
            Array("int2", self.flags),
        )


class Duplicates(Exception):
    """A reading is there already; the transaction, or its savepoint, is to be rolled back."""


def insert(readings: Columns) -> BoolArray:
    """Store what is not there yet. Shape (n,): True where the row was new, False for a duplicate.

    The first one of a (sensor, time) is kept, in the table and within the batch. Needs a
    transaction; rows go in sorted by (sensor, time), so writers wait for each other in one order.
    """
    is_new = np.zeros(len(readings), dtype=bool)
    first = one_of_each(readings)
    ordered = readings.take(first)
    try:
        with transaction.atomic(), inserting(ordered, expect_new=True) as insertion:
            pass
    except Duplicates:
        with inserting(ordered, expect_new=False) as insertion:
            pass
    is_new[first] = insertion.is_new
    return is_new


def one_of_each(readings: Columns, *, last: bool = False) -> IntArray:
    """Places of the first, or last, reading of each (sensor, time), sorted by (sensor, time)."""
    order = np.lexsort((readings.times, readings.sensor_ids))  # stable: equal pairs stay in order
    ids, times = readings.sensor_ids[order], readings.times[order]
    is_one = np.ones(len(order), dtype=bool)
    others = is_one[:-1] if last else is_one[1:]
    others[:] = (ids[1:] != ids[:-1]) | (times[1:] != times[:-1])
    return order[is_one]


@dataclass(slots=True)
class Insertion:
    """is_new: shape (n,), known when the block of `inserting` has ended."""

    is_new: BoolArray


@contextmanager
def inserting(readings: Columns, *, expect_new: bool) -> Iterator[Insertion]:
    """Store readings that are sorted as `one_of_each` does, at work while the block runs.

    The block must not use the connection. Needs a transaction. expect_new: many readings go by
    COPY, which raises Duplicates at the end of the block if any is there already; otherwise those
    that are there are passed over.
    """
    insertion = Insertion(np.ones(len(readings), dtype=bool))
    if len(readings) <= FEW or not expect_new:
        insert_missing = _insert_few if len(readings) <= FEW else _insert_missing
        insertion.is_new = insert_missing(readings)
        yield insertion
        return
    with _duplicates(), _copying_in("sensors_reading", readings):
        yield insertion


@contextmanager
def _copying_in(table: str, readings: Columns) -> Iterator[None]:
    """The readings on their way into a table, where they are when the block has ended."""
    data = _packed(readings)  # before the server waits for it
    with statements.copying(f"COPY {table} ({_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(data)
        yield


def run_unless_there(statement: str, params: Sequence[object]) -> None:
    """Execute a statement with INSERT in it. Raises Duplicates when a reading is there already."""
    with _duplicates():
        statements.run(statement, params)


@contextmanager
def _duplicates() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.UniqueViolation):
            raise Duplicates from error
        raise


def _insert_few(readings: Columns) -> BoolArray:
    if not len(readings):
        return np.ones(0, dtype=bool)
    stored = statements.run(_INSERT_MISSING, readings.params())
    if stored.rowcount == len(readings):
        return np.ones(len(readings), dtype=bool)
    there = {(sensor, to_datetime64(time)) for sensor, time in stored}
    pairs = zip(readings.sensor_ids.tolist(), readings.times, strict=True)
    return np.array([pair in there for pair in pairs], dtype=bool)


def _insert_missing(readings: Columns) -> BoolArray:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE reading_staging "
            "(sensor_id bigint, time timestamptz, value float8, quality float4, flags int2) "
            "ON COMMIT DROP"
        )
    with _copying_in("reading_staging", readings):
        pass
    stored = _copy_out(
        f"INSERT INTO sensors_reading ({_COLUMNS}) "  # noqa: S608  no value from outside
        f"SELECT {_COLUMNS} FROM reading_staging ORDER BY sensor_id, time "
        "ON CONFLICT (sensor_id, time) DO NOTHING RETURNING sensor_id, time"
    )
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE reading_staging")
    return _is_among(readings, stored)


def _is_among(readings: Columns, stored: NDArray[Any]) -> BoolArray:
    """Which readings are in `stored`; every pair of which is one of the readings."""
    times = since_postgres_epoch(readings.times)
    distinct = np.unique(times)

    def number(ids: NDArray[Any], at: NDArray[Any]) -> IntArray:
        return np.searchsorted(known, ids) * len(distinct) + np.searchsorted(distinct, at)

    known = np.unique(readings.sensor_ids)
    return np.isin(number(readings.sensor_ids, times), number(stored["sensor"], stored["time"]))


def _packed(readings: Columns) -> memoryview:
    """The rows in COPY's binary format, made where they are sent from."""
    start, size = len(_HEADER), len(readings) * _ROW.itemsize
    data = np.empty(start + size + len(_TRAILER), np.uint8)
    data[:start], data[start + size :] = _HEADER, _TRAILER
    data[start : start + size].reshape(len(readings), -1)[:] = _EMPTY_ROW
    rows = data[start : start + size].view(_ROW)
    rows["sensor"], rows["time"] = readings.sensor_ids, since_postgres_epoch(readings.times)
    rows["value"], rows["quality"] = readings.values, readings.quality
    rows["flags"] = readings.flags
    return data.data


def _copy_out(query: str) -> NDArray[Any]:
    """(sensor id, time) rows of a query that changes data, shape (n,) of `_PAIR`."""
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy,
    ):
        answer = b"".join(copy)
    return np.frombuffer(answer[len(_HEADER) : -len(_TRAILER)], dtype=_PAIR)


def in_transaction(work: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
    """work() in one transaction, all of it again when the database says that trying again helps."""

    def atomically() -> T:
        with transaction.atomic():
            return work()

    return again(atomically, attempts=attempts)


def again(work: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
    """work(), which is one transaction, again when the database says that trying again helps.

    Inside a transaction of the caller's it cannot be tried again, so it is done once.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            return work()
    for attempt in range(1, attempts + 1):
        try:
            return work()
        except DatabaseError as error:
            if attempt == attempts or not isinstance(error.__cause__, PASSING):
                raise
            log.info("transaction is tried again (%s of %s): %s", attempt, attempts, error)
            # Jitter only keeps writers apart; nothing about it is secret.
            time.sleep(random.uniform(0.5, 1.5) * _PAUSE_S * 2 ** (attempt - 1))  # noqa: S311
    raise AssertionError("unreachable: the last attempt returns or raises")


def is_hypertable() -> bool:
    """Whether readings are a TimescaleDB hypertable here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'")
        if cursor.rowcount == 0:
            return False
        cursor.execute(
            "SELECT FROM timescaledb_information.hypertables "
            "WHERE hypertable_schema = current_schema() AND hypertable_name = 'sensors_reading'"
        )
        return bool(cursor.rowcount > 0)

"""Statements of the hot path: planned once a connection, their columns sent as binary arrays.

Django's own cursor writes parameters into the text of a statement, which the server then reads and
plans anew each time; for the few statements that every batch makes, that takes longer than what
they do.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
from django.db import connection
from numpy.typing import NDArray
from psycopg.abc import DumperKey
from psycopg.adapt import Dumper
from psycopg.copy import LibpqWriter
from psycopg.pq import Format

from sensors.series import TimeArray

POSTGRES_EPOCH = np.datetime64("2000-01-01T00:00:00", "us")
# By the name of the type in PostgreSQL: its elements in binary, and the type they are here.
_BINARY: dict[str, tuple[str, type]] = {
    "int2": (">i2", np.int16),
    "int8": (">i8", np.int64),
    "float4": (">f4", np.float32),
    "float8": (">f8", np.float64),
    "timestamptz": (">i8", np.datetime64),
}
# Dimensions, nulls, type of the elements, their number, the place of the first.
_HEAD = struct.Struct(">5i")
_ITEMS = {name: np.dtype([("bytes", ">i4"), ("value", binary)]) for name, binary in _BINARY.items()}
_NEVER = 2**62
_OIDS = {name: psycopg.postgres.types[name] for name in _BINARY}


class Array:
    """A column, shape (n,), as a parameter of type `type_name[]`; no element is null."""

    __slots__ = ("data", "element", "oid")

    def __init__(self, type_name: str, values: NDArray[Any]) -> None:
        items = np.empty(len(values), dtype=_ITEMS[type_name])
        items["bytes"] = items.dtype["value"].itemsize
        items["value"] = values
        found = _OIDS[type_name]
        head = _HEAD.pack(1 if len(values) else 0, 0, found.oid, len(values), 1)
        self.element, self.oid = _BINARY[type_name][1], found.array_oid
        # Without dimensions an array ends after its element type.
        self.data = head + items.tobytes() if len(values) else head[:12]


def times(values: TimeArray) -> Array:
    """UTC datetime64[us] as timestamptz[]."""
    return Array("timestamptz", since_postgres_epoch(values))


def since_postgres_epoch(values: TimeArray) -> NDArray[np.int64]:
    """Microseconds as PostgreSQL counts them in binary."""
    return (values - POSTGRES_EPOCH).astype(np.int64)


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def get_key(self, obj: Array, _format: Any) -> DumperKey:
        return (Array, obj.element)

    def upgrade(self, obj: Array, _format: Any) -> Dumper:
        dumper = _ArrayDumper(Array)
        dumper.oid = obj.oid
        return dumper

    def dump(self, obj: Array) -> bytes:
        return obj.data


@contextmanager
def copying(statement: str) -> Iterator[psycopg.Copy]:
    """COPY ... FROM STDIN, in the transaction that Django is in.

    Whoever writes into it does not wait until that is received, and may work meanwhile.
    """
    with connection.wrap_database_errors, _cursor(statement) as cursor:
        writer = LibpqWriter(cursor, flush_threshold=_NEVER)
        with cursor.copy(statement, writer=writer) as copy:
            yield copy


def run(statement: str, params: Sequence[object]) -> psycopg.Cursor[tuple[Any, ...]]:
    """Execute a statement that comes again and again, in the transaction that Django is in."""
    with connection.wrap_database_errors:
        cursor = _cursor(statement)
        cursor.adapters.register_dumper(Array, _ArrayDumper)
        return cursor.execute(statement, params, prepare=True, binary=True)


def _cursor(statement: str) -> psycopg.Cursor[tuple[Any, ...]]:
    """psycopg's own, with the statement where Django's would have logged it."""
    connection.ensure_connection()
    if connection.queries_logged:
        connection.queries_log.append({"sql": statement, "time": "0"})
    return psycopg.Cursor(connection.connection)

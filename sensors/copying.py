"""Rows out of PostgreSQL as columns: one binary COPY, no object for a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from sensors.series import TimeArray

_HEADER, _TRAILER = 19, 2
_POSTGRES_EPOCH = np.datetime64("2000-01-01", "us")
# What COPY sends for a column of each type.
TYPES = {
    "bigint": ">i8",
    "timestamptz": ">i8",
    "float8": ">f8",
    "float4": ">f4",
    "int2": ">i2",
}


def copied(query: str, params: Sequence[object], columns: Mapping[str, str]) -> NDArray[Any]:
    """The rows of a query, shape (n,), one field a column, big-endian as they came.

    columns: name → a key of TYPES, in the query's order; none of them may be null. Times are
    microseconds as PostgreSQL counts them; see `as_times`.
    """
    data = _read(f"COPY ({query}) TO STDOUT (FORMAT binary)", params)
    row = _row(columns)
    count = (len(data) - _HEADER - _TRAILER) // row.itemsize
    return np.frombuffer(data, row, offset=_HEADER, count=count)


def copied_bytes(query: str, params: Sequence[object]) -> bytes:
    """The one value of a query that gives one bytea or null; nothing for null."""
    data = _read(f"COPY ({query}) TO STDOUT (FORMAT binary)", params)
    # The number of fields and the length of the only one; a null's length is -1.
    return data[_HEADER + 6 : -_TRAILER]


def as_times(microseconds: NDArray[Any]) -> TimeArray:
    """A copied timestamptz column as datetime64[us] in UTC."""
    return _POSTGRES_EPOCH + microseconds.astype("timedelta64[us]")


def _read(statement: str, params: Sequence[object]) -> bytes:
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        # psycopg's own cursor: Django's wrapper for counting queries takes no params.
        cursor.cursor.copy(statement, params) as copy,
    ):
        return b"".join(copy)


def _row(columns: Mapping[str, str]) -> np.dtype[Any]:
    """The number of fields, then each with its length before it."""
    fields: list[tuple[str, str]] = [("", ">i2")]
    for name, kind in columns.items():
        fields += [(f"{name} bytes", ">i4"), (name, TYPES[kind])]
    return np.dtype([(name or "fields", form) for name, form in fields])

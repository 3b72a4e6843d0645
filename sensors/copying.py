"""Rows out of PostgreSQL as columns, each as one binary array: no row crosses by itself.

Against COPY of the same rows this saves the client a call for each of them, which is most of the
time that reading a column takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from sensors.series import TimeArray

_POSTGRES_EPOCH = np.datetime64("2000-01-01", "us")
# Of a COPY: its header with the number of fields of the only row, and its trailer.
_HEADER, _TRAILER = 21, 2
# Of a field: its length. Of an array: dimensions, nulls, element type, length, lower bound.
_LENGTH, _ARRAY_HEAD = 4, 20
# Elements in binary, and the type they become here.
TYPES: dict[str, tuple[str, type]] = {
    "bigint": (">i8", np.int64),
    "timestamptz": (">i8", np.int64),
    "float8": (">f8", np.float64),
    "float4": (">f4", np.float64),
    "int2": (">i2", np.int16),
}

Column = NDArray[Any]


def copied(query: str, params: Sequence[object], columns: Mapping[str, str]) -> dict[str, Column]:
    """The rows of a query as columns of shape (n,), in the query's order.

    columns: name → a key of TYPES, in the query's order; none of them may be null. Times are
    microseconds as PostgreSQL counts them; see `as_times`.
    """
    arrays = ", ".join(f"array_agg({name})" for name in columns)
    one_row = f"SELECT {arrays} FROM ({query}) AS found ({', '.join(columns)})"  # noqa: S608  names from the code
    data, at, found = _read(one_row, params), 0, {}
    for name, kind in columns.items():
        length = int.from_bytes(data[at : at + _LENGTH], "big", signed=True)
        field = data[at + _LENGTH : at + _LENGTH + max(length, 0)]
        found[name] = _elements(field, *TYPES[kind])
        at += _LENGTH + len(field)
    return found


def copied_bytes(query: str, params: Sequence[object]) -> bytes:
    """The one value of a query that gives one bytea or null; nothing for null."""
    return _read(query, params)[_LENGTH:]


def as_times(microseconds: NDArray[Any]) -> TimeArray:
    """A copied timestamptz column as datetime64[us] in UTC."""
    return _POSTGRES_EPOCH + microseconds.astype("timedelta64[us]")


def _elements(field: bytes, binary: str, type_: type) -> Column:
    """The elements of a binary array without nulls; none of no array at all."""
    item = np.dtype([("bytes", ">i4"), ("value", binary)])
    head = _ARRAY_HEAD if field else 0
    elements: Column = np.frombuffer(field, item, offset=head)["value"].astype(type_)
    return elements


def _read(one_row: str, params: Sequence[object]) -> bytes:
    """The fields of the only row, each with its length before it."""
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        # psycopg's own cursor: Django's wrapper for counting queries takes no params.
        cursor.cursor.copy(f"COPY ({one_row}) TO STDOUT (FORMAT binary)", params) as copy,
    ):
        return b"".join(copy)[_HEADER:-_TRAILER]

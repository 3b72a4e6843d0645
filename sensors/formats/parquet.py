"""Parquet and other typed tables: columns as their types allow, else row by row. Pure.

Numbers of any width are values; whole numbers may name a sensor; a null is a field that is not
there. Timestamps have a zone, or are texts by the rules of every format.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from sensors.formats import arrow, objects
from sensors.formats.batch import MAX_READINGS, Batch, FormatError, TooManyReadings

_TEXTS = ("sensor", "kind", "unit")
_NUMBERS = ("value", "quality")
_PLAIN = (str, int, float, bool)


def from_parquet(body: bytes, *, max_readings: int = MAX_READINGS) -> Batch:
    """Columns named as the fields; others are ignored.

    Raises FormatError when it is no Parquet, lacks a required column or has too many rows.
    """
    try:
        file = pa.parquet.ParquetFile(pa.BufferReader(body))
        if file.metadata.num_rows > max_readings:
            raise TooManyReadings(max_readings)
        known = [name for name in arrow.FIELDS.names if name in file.schema_arrow.names]
        table = file.read(columns=known, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise FormatError("parquet_invalid", f"the file cannot be read: {error}") from error
    missing = ", ".join(name for name in arrow.REQUIRED if name not in known)
    if missing:
        raise FormatError("parquet_invalid", f"there is no column {missing}")
    columns = typed(arrow.columns_in(table))
    batch = (
        None if columns is None else arrow.batch_of(columns, arrow.later(lambda: rows_of(table)))
    )
    return batch or objects.batch_of(list(rows_of(table)))


def typed(columns: arrow.Columns) -> arrow.Columns | None:
    """The columns as `arrow.FIELDS` types them; None where a type holds no such field."""
    found = {}
    for name, column in columns.items():
        fitting = _typed(name, column)
        if fitting is None:
            return None
        found[name] = fitting
    return found


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Each row as JSON would hold it, without the fields that are null."""
    names = table.column_names
    columns = [_listed(name, table[name].combine_chunks()) for name in names]
    return [
        {name: field for name, field in zip(names, row, strict=True) if field is not None}
        for row in zip(*columns, strict=True)
    ]


def _typed(name: str, column: pa.Array) -> pa.Array | None:
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if name in _TEXTS:
        return column.cast(pa.string()) if _is_text(kind) or pa.types.is_integer(kind) else None
    if name in _NUMBERS:
        return column.cast(pa.float64(), safe=False) if _is_number(kind) else None
    if pa.types.is_timestamp(kind):
        return column if kind.tz is not None else None
    return column.cast(pa.string()) if _is_text(kind) else None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _listed(name: str, column: pa.Array) -> list[Any]:
    """The column as objects that JSON knows: a moment as text, what else there is as it prints."""
    if pa.types.is_timestamp(column.type):
        times = column.to_numpy(zero_copy_only=False).astype("datetime64[us]")
        zone = "" if column.type.tz is None else "Z"
        return [None if np.isnat(time) else f"{time}{zone}" for time in times]
    if name in _TEXTS and pa.types.is_integer(column.type):
        column = column.cast(pa.string())
    return [_plain(field) for field in column.to_pylist()]


def _plain(field: Any) -> Any:
    if field is None or isinstance(field, _PLAIN):
        return field
    return float(field) if isinstance(field, Decimal) else str(field)

"""Columns as Arrow holds them → `Batch`, when every row of them is well-formed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sensors import iso8601
from sensors.formats import checked
from sensors.formats.batch import Batch, Coded
from sensors.rows import REQUIRED
from sensors.series import FloatArray, TimeArray

Columns = Mapping[str, pa.Array]

FIELDS = pa.schema([
    ("sensor", pa.string()),
    ("time", pa.string()),
    ("value", pa.float64()),
    ("quality", pa.float64()),
    ("kind", pa.string()),
    ("unit", pa.string()),
])  # fmt: skip


def columns_in(table: pa.Table) -> Columns:
    """The table's columns, each in one piece."""
    return {name: table[name].combine_chunks() for name in table.column_names}


def later(load: Callable[[], Sequence[Any]]) -> Callable[[int], Any]:
    """Rows that are read only when one of them is asked for, then all at once."""
    loaded: list[Sequence[Any]] = []

    def original(row: int) -> Any:
        if not loaded:
            loaded.append(load())
        return loaded[0][row]

    return original


def batch_of(columns: Columns, original: Callable[[int], Any] | None) -> Batch | None:
    """The rows as a batch, or None when at least one of them is not well-formed.

    columns: named and typed as `FIELDS`; time may be timestamps, texts may be dictionaries, and
    quality, kind and unit may be missing, as a column or in a row.
    """
    if any(columns[name].null_count for name in REQUIRED):
        return None
    times, quality = _times(columns["time"]), columns.get("quality")
    if times is None or (quality is not None and not _are_numbers(quality)):
        return None
    return checked.batch_of(
        _coded(columns["sensor"]),
        times,
        _numbers(columns["value"]),
        quality=None if quality is None else _numbers(quality),
        kind=_coded(columns["kind"]) if "kind" in columns else None,
        unit=_coded(columns["unit"]) if "unit" in columns else None,
        original=original,
    )


def _coded(column: pa.Array) -> Coded:
    if not isinstance(column, pa.DictionaryArray):
        column = column.dictionary_encode()
    indices = column.indices.fill_null(-1) if column.null_count else column.indices
    codes = indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return Coded(tuple(column.dictionary.to_pylist()), codes)


def _numbers(column: pa.Array) -> FloatArray:
    """float64; NaN where there is none."""
    numbers: FloatArray = column.to_numpy(zero_copy_only=False)
    return numbers


def _are_numbers(column: pa.Array) -> bool:
    """Whether each that is there is one."""
    return not np.isnan(_numbers(column.drop_null() if column.null_count else column)).any()


def _times(column: pa.Array) -> TimeArray | None:
    if pa.types.is_timestamp(column.type):
        times: TimeArray = column.to_numpy(zero_copy_only=False).astype("datetime64[us]")
        return times
    return iso8601.parse_column(column.cast(pa.string()))

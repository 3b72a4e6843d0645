"""Columns as Arrow holds them → `Batch`, when every row of them is well-formed. Pure.

The rules are those of `sensors.rows`, asked of columns: names once each, numbers as arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sensors import iso8601
from sensors.formats.batch import Batch, Coded
from sensors.rows import are_kinds, are_qualities, are_sensors, are_units, are_values
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
REQUIRED = ("sensor", "time", "value")


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
    values = _numbers(columns["value"])
    sensor, times = _coded(columns["sensor"]), _times(columns["time"])
    if times is None or not are_values(values) or not are_sensors(sensor.names):
        return None
    n = len(values)
    quality = _quality(columns.get("quality"), n)
    kind, unit = _kind(columns.get("kind"), n), _coded(columns.get("unit"), n)
    if quality is None or kind is None or not are_units(unit.names):
        return None
    return Batch(sensor, times, values, quality, kind, unit, np.arange(n), (), original)


def _coded(column: pa.Array | None, n: int = 0) -> Coded:
    if column is None:
        return Coded.empty(n)
    if not isinstance(column, pa.DictionaryArray):
        column = column.dictionary_encode()
    indices = column.indices.fill_null(-1) if column.null_count else column.indices
    codes = indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return Coded(tuple(column.dictionary.to_pylist()), codes)


def _kind(column: pa.Array | None, n: int) -> Coded | None:
    """Kinds in lower case, or None when one is unknown."""
    found = _coded(column, n)
    if not are_kinds(found.names):
        return None
    names = tuple(dict.fromkeys(name.lower() for name in found.names))
    # The last place is for -1, no kind.
    places = np.array([*(names.index(name.lower()) for name in found.names), -1])
    return Coded(names, places[found.codes])


def _numbers(column: pa.Array) -> FloatArray:
    """float64; NaN where there is none."""
    numbers: FloatArray = column.to_numpy(zero_copy_only=False)
    return numbers


def _quality(column: pa.Array | None, n: int) -> FloatArray | None:
    if column is None:
        return np.full(n, np.nan)
    reported = _numbers(column.drop_null() if column.null_count else column)
    return _numbers(column) if are_qualities(reported) else None


def _times(column: pa.Array) -> TimeArray | None:
    if pa.types.is_timestamp(column.type):
        times: TimeArray = column.to_numpy(zero_copy_only=False).astype("datetime64[us]")
        is_known = (times >= iso8601.EARLIEST) & (times <= iso8601.LATEST)
        return times if is_known.all() else None
    return iso8601.parse_column(column.cast(pa.string()))

"""Rows that a parser gave as objects → `Batch`. Pure.

Well-formed rows become columns with no work per row beyond list comprehensions. When any row is
not well-formed, those near it are looked at one by one, and exactly the bad ones are set aside with
a reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from sensors.formats import arrow
from sensors.formats.batch import Batch, ascii_json
from sensors.rows import Rejection, RowError, read_row, sensor_ref

_NONE = type(None)
# Rows that are looked at one by one when one of them is bad.
_BLOCK_ROWS = 256


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands where a row should and is none: why, and what it is, such as its text."""

    code: str
    detail: str
    row: Any


def batch_of(rows: list[Any]) -> Batch:
    """The rows as columns, in their order; a row that is no reading is among the rejected."""
    return _columns(rows) or _row_by_row(rows)


def _columns(rows: list[Any]) -> Batch | None:
    """All rows as columns, or None when at least one of them is not well-formed."""
    try:
        columns = _typed_columns(rows)
    except (KeyError, TypeError, IndexError, OverflowError, UnicodeEncodeError):
        return None
    return arrow.batch_of(columns, rows.__getitem__)


def _typed_columns(rows: list[Any]) -> arrow.Columns:
    """Raises what Python does when a row is not an object or a field not of its type."""
    columns = {
        "sensor": _texts([row["sensor"] for row in rows], str),
        "time": _texts([row["time"] for row in rows], str),
        "value": _numbers([row["value"] for row in rows], int, float),
    }
    if max(map(len, rows), default=0) > len(columns):
        columns["quality"] = _numbers([row.get("quality") for row in rows], int, float, _NONE)
        columns["kind"] = _texts([row.get("kind") for row in rows], str, _NONE)
        columns["unit"] = _texts([row.get("unit") for row in rows], str, _NONE)
    return columns


def _texts(column: list[Any], *types: type) -> pa.Array:
    _require(column, types)
    return pa.array(column, pa.string())


def _numbers(column: list[Any], *types: type) -> pa.Array:
    _require(column, types)
    if _NONE not in types:
        return pa.array(np.array(column, dtype=np.float64))
    is_none = np.fromiter((number is None for number in column), bool, count=len(column))
    return pa.array(np.array(column, dtype=np.float64), mask=is_none)


def _require(column: Iterable[Any], types: tuple[type, ...]) -> None:
    """Raises TypeError when the column has other types; a bool is no int here."""
    if not set(map(type, column)) <= set(types):
        raise TypeError


def _row_by_row(rows: list[Any]) -> Batch:
    kept: list[Any] = []
    index: list[int] = []
    rejected: list[Rejection] = []
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        read = (
            block
            if _columns(block)
            else [_read_or_reject(start + i, row) for i, row in enumerate(block)]
        )
        for place, row in enumerate(read, start):
            if isinstance(row, Rejection):
                rejected.append(row)
            else:
                kept.append(row)
                index.append(place)
    batch = _columns(kept)
    assert batch is not None  # noqa: S101  every row of it was looked at
    return replace(
        batch, index=np.array(index, np.int64), rejected=tuple(rejected), original=rows.__getitem__
    )


def _read_or_reject(place: int, row: Any) -> dict[str, Any] | Rejection:
    """The reading in the form that columns have no trouble with, or why it is none."""
    if isinstance(row, Unreadable):
        return _rejection(place, row.code, row.detail, row.row)
    try:
        reading = asdict(read_row(row))
    except RowError as error:
        return _rejection(place, error.code, str(error), row)
    return {**reading, "time": f"{reading['time']}Z"}


def _rejection(place: int, code: str, detail: str, row: Any) -> Rejection:
    return Rejection(place, "validation", code, detail, sensor_ref(row), ascii_json(row))

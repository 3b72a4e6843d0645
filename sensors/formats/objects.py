"""Rows that a parser gave as objects → `Batch`. Pure.

Well-formed rows become columns with no work per row beyond list comprehensions. When any row is
not well-formed every row is looked at, and exactly the bad ones are set aside with a reason.
"""

from __future__ import annotations

from itertools import compress
from typing import Any

import numpy as np

from sensors import iso8601
from sensors.formats.batch import Batch, Coded, IntArray, ascii_json
from sensors.rows import Rejection, Row, RowError, column_problem, read_row, sensor_ref
from sensors.series import TimeArray


def batch_of(rows: list[Any]) -> Batch:
    """The rows as columns, in their order; a row that is no reading is among the rejected."""
    return _columns(rows) or _row_by_row(rows)


def _columns(rows: list[Any]) -> Batch | None:
    """All rows as columns, or None when at least one of them is not well-formed."""
    try:
        sensors = [row["sensor"] for row in rows]
        texts = [row["time"] for row in rows]
        numbers = [row["value"] for row in rows]
    except (KeyError, TypeError, IndexError):
        return None
    optional: dict[str, list[Any] | None] = dict.fromkeys(("quality", "kind", "unit"))
    if max(map(len, rows), default=0) > 3:
        optional = {name: [row.get(name) for row in rows] for name in optional}
    if column_problem(sensors, texts, numbers, **optional):
        return None
    times = iso8601.parse_column(texts)
    if times is None:
        return None
    return _batch(rows, np.arange(len(rows)), sensors, times, numbers, optional)


def _row_by_row(rows: list[Any]) -> Batch:
    read = [_read_or_reject(place, row) for place, row in enumerate(rows)]
    is_good = [isinstance(row, Row) for row in read]
    good: list[Row] = list(compress(read, is_good))  # type: ignore[arg-type]
    bad: list[Rejection] = list(compress(read, [not is_row for is_row in is_good]))  # type: ignore[arg-type]
    return _batch(
        rows,
        np.flatnonzero(is_good),
        [row.sensor for row in good],
        np.array([row.time for row in good], dtype="datetime64[us]"),
        [row.value for row in good],
        {
            "quality": [row.quality for row in good],
            "kind": [row.kind for row in good],
            "unit": [row.unit for row in good],
        },
        tuple(bad),
    )


def _read_or_reject(place: int, row: Any) -> Row | Rejection:
    try:
        return read_row(row)
    except RowError as error:
        return Rejection(
            place, "validation", error.code, str(error), sensor_ref(row), ascii_json(row)
        )


def _batch(
    rows: list[Any],
    index: IntArray,
    sensors: list[str],
    times: TimeArray,
    numbers: list[float],
    optional: dict[str, list[Any] | None],
    rejected: tuple[Rejection, ...] = (),
) -> Batch:
    n = len(sensors)
    quality, kinds, units = optional["quality"], optional["kind"], optional["unit"]
    return Batch(
        sensor=Coded.of(sensors),
        times=times,
        values=np.array(numbers, dtype=np.float64),
        # None becomes NaN: not reported.
        quality=np.array(quality, dtype=np.float64) if quality else np.full(n, np.nan),
        kind=Coded.of([kind and kind.lower() for kind in kinds]) if kinds else Coded.empty(n),
        unit=Coded.of(units) if units else Coded.empty(n),
        index=index,
        rejected=rejected,
        original=rows.__getitem__,
    )

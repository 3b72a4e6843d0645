"""Parquet and NDJSON files as the text of a table. Pure, but for the files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

PARQUET, LINES = (".parquet", ".pq"), (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")
SUFFIXES = (*PARQUET, *LINES)


class TableError(ValueError):
    """The file is no table of readings; the message says where and what is expected."""


def grid(path: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    """Header and rows; a null is an empty cell. TableError when it cannot be read, or is nested."""
    reader = _parquet if path.name.lower().endswith(PARQUET) else _lines
    try:
        table = reader(path)
        columns = [_texts(column) for column in table.columns]
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"cannot be read: {error}") from error
    return tuple(table.column_names), [list(row) for row in zip(*columns, strict=True)]


def _parquet(path: Path) -> pa.Table:
    return pa.parquet.read_table(path, use_threads=False)


def _lines(path: Path) -> pa.Table:
    with pa.input_stream(path, compression="detect") as stream:
        return pa.json.read_json(stream)


def _texts(column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = column.cast(pa.timestamp("us", "UTC"))
    return ["" if cell is None else cell for cell in column.cast(pa.string()).to_pylist()]

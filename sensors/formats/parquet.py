"""Parquet and other typed tables: columns as their types allow, else row by row.

Numbers of any width are values; whole numbers may name a sensor; a null is a field that is not
there. Timestamps have a zone, or are texts by the rules of every format.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from sensors.formats import arrow
from sensors.formats.batch import FormatError

_TEXTS = ("sensor", "kind", "unit")
_NUMBERS = ("value", "quality")
_PLAIN = (str, int, float, bool)
# What a few bytes may unfold to: a group of rows, and the texts of one batch. A page of one
# repeated letter and a dictionary of one long text are tiny in the file.
MAX_GROUP_BYTES = 2**30
MAX_TEXT_BYTES = 64 * 2**20


def opened(stream: IO[bytes] | gzip.GzipFile) -> pa.parquet.ParquetFile:
    """The file with its texts left as dictionaries. Raises FormatError when it is no Parquet."""
    with _as_format_error():
        schema = pa.parquet.ParquetFile(stream, pre_buffer=False).schema_arrow
        texts = [field.name for field in schema if _is_text(field.type)]
        return pa.parquet.ParquetFile(
            stream, pre_buffer=False, read_dictionary=texts, page_checksum_verification=True
        )


def tables_of(
    file: pa.parquet.ParquetFile, columns: Sequence[str], *, done: int, batch_rows: int
) -> Iterator[pa.Table]:
    """The rows after the first `done`; groups of rows that are done are not looked at.

    Raises FormatError for damaged rows, and for those that would take too much memory.
    """
    before = 0
    for group in range(file.num_row_groups):
        about = file.metadata.row_group(group)
        if before + about.num_rows > done:
            _refuse_swollen(about)
            at = before
            for batch in _batches(file, group, columns, batch_rows):
                fresh = batch.slice(min(max(done - at, 0), len(batch)))
                at += len(batch)
                if len(fresh):
                    yield pa.Table.from_batches([fresh])
        before += about.num_rows


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


# --- damage ---------------------------------------------------------------------------------------


@contextmanager
def _as_format_error() -> Iterator[None]:
    """A damaged name of a column is a UnicodeDecodeError; some damage is an OSError."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise FormatError("parquet_invalid", f"the file cannot be read: {error}") from error


def _batches(
    file: pa.parquet.ParquetFile, group: int, columns: Sequence[str], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    with _as_format_error():
        batches = file.iter_batches(
            batch_rows, row_groups=[group], columns=list(columns), use_threads=False
        )
    while True:
        with _as_format_error():
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)  # what is read is not: texts may be no UTF-8
        _refuse_long_texts(batch)
        yield batch


def _refuse_swollen(group: pa.parquet.RowGroupMetaData) -> None:
    """By the group as a whole: to ask a damaged file for one column ends the process (Arrow 25)."""
    if group.total_byte_size > MAX_GROUP_BYTES:
        detail = (
            f"a group of rows unfolds to more than {MAX_GROUP_BYTES >> 20} MiB; "
            "write the file with smaller groups"
        )
        raise FormatError("parquet_too_large", detail)


def _refuse_long_texts(batch: pa.RecordBatch) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if isinstance(column, pa.DictionaryArray) and _is_text(column.type.value_type):
            lengths = pc.binary_length(column.dictionary).take(column.indices)
            if (pc.sum(lengths).as_py() or 0) > MAX_TEXT_BYTES:
                detail = f"column {name} has over {MAX_TEXT_BYTES >> 20} MiB of text in one batch"
                raise FormatError("parquet_too_large", detail)

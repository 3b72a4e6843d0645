"""NDJSON: one JSON object a line. Pure.

Flat objects go straight into columns. Arrow's reader takes a stream of objects wherever they begin
and end, so the lines are looked at first. Of everything else (nested values, a bad row, blank
lines) each line is read by itself: one that is no JSON harms itself only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.json
from numpy.typing import NDArray

from sensors.formats import alike, arrow, objects, text
from sensors.formats.batch import MAX_READINGS, Batch, FormatError
from sensors.formats.documents import parse_json
from sensors.formats.objects import Unreadable
from sensors.rows import REQUIRED

Characters = NDArray[np.uint8]
_NEWLINE, _RETURN, _OPEN, _CLOSE, _BRACKET = b"\n\r{}["
_FIRST_LINE_BYTES = 2**16
# From the first character that counts to the end of the line.
_LINE = re.compile(rb"[^ \t\r\n][^\n]*")


def from_ndjson(body: bytes, *, max_readings: int = MAX_READINGS, first_line: int = 1) -> Batch:
    """A reading a line; empty lines are none. Of a key given twice the last one counts.

    Raises FormatError when it is not UTF-8, has too many lines, or no line of it is JSON; any
    other bad line only rejects itself.
    """
    body = text.unmarked(body)
    return batch_of_lines(body, max_readings) or _line_by_line(body, max_readings, first_line)


def batch_of_lines(lines: bytes, max_readings: int = MAX_READINGS) -> Batch | None:
    """Flat objects, one a line, each a well-formed reading; None when they are anything else."""
    if not text.is_utf8(lines):
        return None
    original = arrow.later(lambda: list(rows_of(lines)))
    batch = alike.objects(lines, at_most=max_readings, original=original)
    if batch is not None:
        return batch
    columns = _flat(lines, max_readings)
    return None if columns is None else arrow.batch_of(columns, original)


def _flat(lines: bytes, max_readings: int) -> arrow.Columns | None:
    lines = lines.strip(b" \t\r\n")
    if not lines or not text.is_plain_json(lines):
        return None
    return flat_objects(lines) if text.breaks(lines) < max_readings else None  # blank ones, too


def flat_objects(lines: bytes) -> arrow.Columns | None:
    """The columns of flat JSON objects, one a line; None when the lines are anything else.

    lines: plain JSON each, without blank ones and without white space around the whole.
    """
    if not _are_flat(np.frombuffer(lines, np.uint8)):
        return None
    first = _first_keys(lines)
    known = [name for name in arrow.FIELDS.names if name in first or name in REQUIRED]
    schema = pa.schema([arrow.FIELDS.field(name) for name in known])
    table = _read(lines, schema, "error") if first <= set(known) else None
    if table is None:  # other rows have other fields than the first
        table = _read(lines, arrow.FIELDS, "ignore")
    return None if table is None else arrow.columns_in(table)


def _are_flat(lines: Characters) -> bool:
    """Whether each line begins with the only brace that opens on it, and ends with one that closes.

    Then whatever reads the lines as a stream of objects finds one on each.
    """
    breaks = np.flatnonzero(lines == _NEWLINE)
    ends = lines[breaks - 1]
    if (ends == _RETURN).any():
        ends = np.where(ends == _RETURN, lines[breaks - 2], ends)
    return bool(
        lines[0] == _OPEN
        and lines[-1] == _CLOSE
        and (lines[breaks + 1] == _OPEN).all()
        and (ends == _CLOSE).all()
        and np.count_nonzero(lines == _OPEN) == len(breaks) + 1
        and not (lines == _BRACKET).any()
    )


def _first_keys(lines: bytes) -> set[str]:
    line = lines[:_FIRST_LINE_BYTES].partition(b"\n")[0]
    try:
        return set(orjson.loads(line))
    except orjson.JSONDecodeError:
        return {""}  # no name of a field: all of them are looked for


def _read(lines: bytes, schema: pa.Schema, unexpected: str) -> pa.Table | None:
    try:
        return pa.json.read_json(
            pa.BufferReader(lines),
            # One block: what a line holds must not depend on where a block ends.
            read_options=pa.json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
            parse_options=pa.json.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior=unexpected
            ),
        )
    except pa.ArrowInvalid:
        return None


def _line_by_line(body: bytes, max_readings: int, first_line: int = 1) -> Batch:
    text.refuse_lines(body, max_readings)
    text.require_utf8(body, first_line)
    text.refuse_crumbs(body, max_readings)
    rows = list(rows_of(body, first_line))
    if rows and all(isinstance(row, Unreadable) for row in rows):
        raise FormatError("json_invalid", f"no line is JSON; {rows[0].detail}")
    return objects.batch_of(rows)


def rows_of(body: bytes, first_line: int = 1) -> Iterator[Any]:
    """What each line that is not blank holds, Unreadable where that is no JSON."""
    number, counted = first_line, 0
    for line in _LINE.finditer(body):
        number += body.count(b"\n", counted, line.start())
        counted = line.start()
        yield _row(line.group(), number)


def _row(line: bytes, number: int) -> Any:
    try:
        return parse_json(line)
    except FormatError as error:
        return Unreadable(error.code, f"line {number}: {error}", line.decode("utf-8"))

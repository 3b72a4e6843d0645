"""A file as a stream of batches, from any place in it, in memory for one batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from sensors.files.layout import Layout, Picked
from sensors.files.sources import Source, Stream, opened
from sensors.formats import Batch, FormatError, arrow, csv, from_ndjson, ndjson, parquet, text

_BLOCK_BYTES = 2**20
# A line longer than this is none: an open quote, or no text at all.
MAX_LINE_BYTES = 16 * 2**20
_NEWLINE, _QUOTE = b'\n"'


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file has been read: bytes of its text (of a Parquet file, rows), rows and lines."""

    position: int = 0
    rows: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a file as a batch.

    begin, end: where it begins and where the next part does. per_row: places that a row of a wide
    file takes in the batch. read: bytes of the file so far, zipped as they may be.
    """

    batch: Batch
    begin: Place
    end: Place
    per_row: int
    read: int

    def row_of(self, place: int) -> int:
        """The row in the file, from 0, that stands at this place in the batch."""
        return self.begin.rows + place // self.per_row


# A batch with its rows and places a row, and the position and line in the file behind it.
_Read = Iterator[tuple[Batch, int, int, int, int]]


def parts_of(source: Source, layout: Layout, *, start: Place, batch_rows: int) -> Iterator[Part]:
    """The rest of a file from `start` on, about `batch_rows` rows at a time.

    Raises FileError where it cannot be read further; the parts before are whole.
    """
    read = {"csv": _csv_parts, "ndjson": _ndjson_parts, "parquet": _parquet_parts}[source.format]
    at = start
    with opened(source) as (stream, raw):
        for batch, rows, per_row, position, lines in read(stream, layout, start, batch_rows):
            begin, at = at, Place(position, at.rows + rows, lines)
            yield Part(batch, begin, at, per_row, raw.tell())


def _csv_parts(stream: Stream, layout: Layout, start: Place, batch_rows: int) -> _Read:
    header, lines = _header(stream)
    picked = layout.pick(header.names)
    start = start if start.position else Place(stream.tell(), 0, lines)
    for held, position, line in _in_lines(stream, start, batch_rows, may_quote=True):
        sheet = csv.Sheet(
            header.names, held, header.delimiter, line + 1, layout.missing, layout.decimal
        )
        text.require_utf8(held, line + 1)
        csv.require_quotes(sheet)
        batch, rows = picked.batch_of(
            sheet.columns(picked.csv_types), partial(_csv_rows, sheet, picked)
        )
        yield batch, rows, picked.per_row, position + len(held), line + held.count(b"\n")


def _header(stream: Stream) -> tuple[csv.Sheet, int]:
    """The header, and how many lines it and those before it are."""
    line, lines = text.unmarked(stream.readline(MAX_LINE_BYTES)), 1
    while line and not line.strip(b"\r\n"):
        line, lines = stream.readline(MAX_LINE_BYTES), lines + 1
    text.require_utf8(line)
    if not line:
        raise FormatError("csv_header_invalid", "the file is empty")
    return csv.sheet_of(line), lines


def _csv_rows(sheet: csv.Sheet, picked: Picked) -> list[object]:
    return [csv.reading_of(row, picked.numeric, sheet.decimal) for row in sheet.cells()]


def _ndjson_parts(stream: Stream, layout: Layout, start: Place, batch_rows: int) -> _Read:
    for held, position, line in _in_lines(stream, start, batch_rows, may_quote=False):
        body = held if position else text.unmarked(held)
        yield (
            *_ndjson_batch(body, layout, line + 1),
            position + len(held),
            line + held.count(b"\n"),
        )


def _ndjson_batch(body: bytes, layout: Layout, first_line: int) -> tuple[Batch, int, int]:
    if layout.is_plain:
        batch = from_ndjson(body, max_readings=len(body) + 1, first_line=first_line)
        return batch, len(batch), 1
    text.require_utf8(body, first_line)
    rows = list(ndjson.rows_of(body, first_line))
    names = dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row)
    picked = layout.pick_any(list(names))
    return *picked.batch_of(None, lambda: rows), picked.per_row


def _parquet_parts(stream: Stream, layout: Layout, start: Place, batch_rows: int) -> _Read:
    file = parquet.opened(stream)
    picked = layout.pick(file.schema_arrow.names)
    done = start.rows
    for table in parquet.tables_of(file, picked.columns, done=done, batch_rows=batch_rows):
        batch, rows = picked.batch_of(arrow.columns_in(table), partial(parquet.rows_of, table))
        done += rows
        yield batch, rows, picked.per_row, done, 0


def _in_lines(
    stream: Stream, start: Place, batch_rows: int, *, may_quote: bool
) -> Iterator[tuple[bytes, int, int]]:
    """`batch_rows` whole lines at a time, their position, and the number of lines before them.

    may_quote: a line break between quotes ends no line.
    """
    stream.seek(start.position)
    position, line, rest = start.position, start.lines, b""
    while True:
        block = stream.read(_BLOCK_BYTES)
        held, begin = rest + block, 0
        for end in _ends(held, batch_rows, may_quote, is_last=not block):
            yield held[begin:end], position, line
            position, line = position + end - begin, line + held.count(b"\n", begin, end)
            begin = end
        rest = held[begin:]
        if not block:
            return
        if len(rest) > MAX_LINE_BYTES:
            *_, whole = 0, *_ends(rest, 1, may_quote, is_last=False)
            if len(rest) - whole > MAX_LINE_BYTES:
                if whole:
                    yield rest[:whole], position, line
                raise _too_long(line + rest.count(b"\n", 0, whole) + 1)


def _too_long(line: int) -> FormatError:
    message = f"a line has more than {MAX_LINE_BYTES >> 20} MiB; is a quote left open?"
    return FormatError("line_too_long", message, line=line)


def _ends(held: bytes, batch_rows: int, may_quote: bool, *, is_last: bool) -> list[int]:
    """Where to part the bytes: after every `batch_rows` lines, and at the end of the file."""
    characters = np.frombuffer(held, np.uint8)
    breaks = np.flatnonzero(characters == _NEWLINE)
    if may_quote:
        quotes = np.flatnonzero(characters == _QUOTE)
        breaks = breaks[np.searchsorted(quotes, breaks) % 2 == 0]
    ends: list[int] = (breaks[batch_rows - 1 :: batch_rows] + 1).tolist()
    if is_last and held and (not ends or ends[-1] < len(held)):
        ends.append(len(held))
    return ends

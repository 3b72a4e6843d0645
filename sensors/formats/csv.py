"""CSV: a header that names the fields, then a reading a row. Pure.

Cells are quoted as RFC 4180 says; the delimiter is a comma, a semicolon or a tab. Rows are told
apart by Arrow's reader, whether they go straight into columns or, when one of them is bad, are
looked at one by one. Quotes are checked before: a stray one would hide rows in a cell.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from sensors.formats import alike, arrow, objects, text
from sensors.formats.batch import MAX_READINGS, Batch, FormatError
from sensors.formats.objects import Unreadable
from sensors.rows import REQUIRED

DELIMITERS = (",", ";", "\t")
NUMERIC = ("value", "quality")
TYPES = {name: pa.dictionary(pa.int32(), pa.string()) for name in ("sensor", "kind", "unit")} | {
    "time": pa.string(),
    **dict.fromkeys(NUMERIC, pa.float64()),
}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_INTEGER = re.compile(r"-?\d{1,15}", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_FIRST_LINE = re.compile(rb"[\r\n]*([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_MAX_HEADER_BYTES = 2**16
_QUOTE = ord('"')
_BREAKS = np.frombuffer(b"\r\n", np.uint8)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of a CSV and the names of their columns; the header is not among the rows.

    first_line: number of the line that `rows` begins on. missing: texts that mean an empty cell.
    decimal: the mark in numbers.
    """

    names: tuple[str, ...]
    rows: bytes
    delimiter: str = ","
    first_line: int = 2
    missing: tuple[str, ...] = ("",)
    decimal: str = "."

    def columns(self, types: Mapping[str, pa.DataType]) -> arrow.Columns | None:
        """The columns named in `types`, an empty cell as null; None when a row does not fit."""
        try:
            return arrow.columns_in(self._table(types))
        except pa.ArrowInvalid:
            return None

    def cells(self) -> list[dict[str, str] | Unreadable]:
        """Each row as its cells that are not empty; Unreadable where it has too few or too many."""
        bad: dict[int, Unreadable] = {}

        def set_aside(row: Any) -> str:
            detail = f"the row has {row.actual_columns} cells, the header {row.expected_columns}"
            bad[row.number - 1] = Unreadable("csv_row_invalid", detail, row.text)
            return "skip"

        table = self._table(dict.fromkeys(self.names, pa.string()), set_aside)
        good = iter(table.to_pylist())
        return [
            bad.get(place) or {name: cell for name, cell in next(good).items() if cell is not None}
            for place in range(len(table) + len(bad))
        ]

    def _table(self, types: Mapping[str, pa.DataType], on_bad_row: Any = None) -> pa.Table:
        if not self.rows.strip(b"\r\n"):
            return pa.schema(list(types.items())).empty_table()
        return pa.csv.read_csv(
            pa.BufferReader(self.rows),
            # One block: what a cell holds must not depend on where a block ends.
            read_options=pa.csv.ReadOptions(
                use_threads=False, block_size=len(self.rows) + 1, column_names=self.names
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=on_bad_row
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=list(self.missing),
                strings_can_be_null=True,
                check_utf8=False,
                decimal_point=self.decimal,
            ),
        )


def from_csv(body: bytes, *, max_readings: int = MAX_READINGS) -> Batch:
    """The header names sensor, time and value, in any order; quality, kind and unit may be there.

    Other columns are ignored; an empty cell is a field that is not there. Raises FormatError when
    it is not UTF-8, has no such header, too many lines or a quote that is out of place; a bad row
    only rejects itself.
    """
    body = text.unmarked(body)
    text.require_utf8(body)
    sheet = sheet_of(body)
    _require_fields(sheet)

    def readings() -> list[Any]:
        return [reading_of(row) for row in sheet.cells()]

    batch = _batch(sheet, max_readings, arrow.later(readings))
    return objects.batch_of(readings()) if batch is None else batch


def _batch(sheet: Sheet, max_readings: int, original: alike.Original) -> Batch | None:
    """The rows when each of them is well-formed. Raises FormatError as `from_csv` does."""
    batch = None
    if b'"' not in sheet.rows:
        batch = alike.cells(
            sheet.rows, sheet.names, sheet.delimiter, at_most=max_readings, original=original
        )
    if batch is not None:
        return batch
    text.refuse_lines(sheet.rows, max_readings)
    text.refuse_crumbs(sheet.rows, max_readings, f'{sheet.delimiter}"'.encode())
    require_quotes(sheet)
    columns = sheet.columns({name: of for name, of in TYPES.items() if name in sheet.names})
    return None if columns is None else arrow.batch_of(columns, original)


def sheet_of(body: bytes) -> Sheet:
    """Header and rows; the delimiter is the one that the header has most of.

    Names that come twice are numbered. Raises FormatError when the header cannot be read.
    """
    first = _FIRST_LINE.match(body)
    assert first is not None  # noqa: S101  it matches nothing, too
    line = text.line_at(body, first.start(1))
    if first.end(1) - first.start(1) > _MAX_HEADER_BYTES:
        raise FormatError("csv_header_invalid", "the header is too long", line=line)
    header = first.group(1).decode()
    delimiter = max(DELIMITERS, key=header.count)
    try:
        cells = next(csv.reader([header], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise FormatError(
            "csv_header_invalid", f"the header is no CSV: {error}", line=line
        ) from error
    names = _distinct(name.strip() for name in cells)
    return Sheet(names, body[first.end() :], delimiter, text.line_at(body, first.end()))


def require_quotes(sheet: Sheet) -> None:
    """Raises FormatError at the first quote that neither begins nor ends a cell nor is doubled.

    Counted from 0, an even quote opens a cell or is the second of two, an odd one closes a cell or
    is the first of two.
    """
    characters = np.frombuffer(sheet.rows, np.uint8)
    quotes = np.flatnonzero(characters == _QUOTE)
    if not len(quotes):
        return
    bounds = np.append(_BREAKS, np.uint8(ord(sheet.delimiter)))
    opening, closing = quotes[::2], quotes[1::2]
    before, after = (
        characters.take(opening - 1, mode="clip"),
        characters.take(closing + 1, mode="clip"),
    )
    opens = np.isin(before, bounds) | (opening == 0) | (before == _QUOTE)
    closes = np.isin(after, bounds) | (closing == len(characters) - 1) | (after == _QUOTE)
    stray = [*opening[~opens][:1], *closing[~closes][:1], *quotes[-1:][: len(quotes) % 2]]
    if stray:
        line = sheet.first_line + text.line_at(sheet.rows, int(min(stray))) - 1
        raise FormatError(
            "csv_quote_invalid",
            "a quote is out of place; a cell with quotes is quoted, with each of them doubled",
            line=line,
        )


def reading_of(
    row: dict[str, str] | Unreadable, numeric: Container[str] = NUMERIC, decimal: str = "."
) -> dict[str, Any] | Unreadable:
    """The row as JSON would hold it: what should be numbers and can be, as numbers."""
    if isinstance(row, Unreadable):
        return row
    return {
        name: number_of(cell, decimal) if name in numeric else cell for name, cell in row.items()
    }


def number_of(cell: str, decimal: str = ".") -> float | str:
    """The cell as a number, or as it is where it is none.

    >>> number_of(" -1.5e3"), number_of("20"), number_of("NaN"), number_of("1,5")
    (-1500.0, 20, nan, '1,5')
    """
    digits = cell.strip(" \t")
    if decimal != ".":
        digits = digits.replace(".", "x").replace(decimal, ".")  # a point is no mark then
    if _INTEGER.fullmatch(digits):
        return int(digits)
    is_number = _NUMBER.fullmatch(digits) or _NOT_FINITE.fullmatch(digits)
    return float(digits) if is_number else cell


def _require_fields(sheet: Sheet) -> None:
    missing = ", ".join(name for name in REQUIRED if name not in sheet.names)
    twice = ", ".join(name for name in arrow.FIELDS.names if f"{name} (2)" in sheet.names)
    if missing or twice:
        said = f"names no column {missing}" if missing else f"names {twice} twice"
        line = max(sheet.first_line - 1, 1)
        raise FormatError("csv_header_invalid", f"the header {said}", line=line)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    """
    >>> _distinct(["time", "a", "a", ""])
    ('time', 'a', 'a (2)', '')
    """
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(found)

"""Lines that are alike but for their values, cut into columns where their marks are. Pure.

Devices write every line in one way. Then what stands between the values is known from the first
line, and what is left to do for the others is to look whether it is the same there. Whatever is
otherwise, in one line even, is left to readers that know all of a format: here it is None.

Unlike Arrow's readers of documents, this needs no second thread, which has to be waited for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sensors.formats import arrow
from sensors.formats.batch import IntArray

_QUOTE, _BREAK, _RETURN, _CLOSE, _FIRST_PRINTABLE = b'"\n\r} '
_LINE_BREAK = b"\n"
_TEXTS, _NUMBERS = ("sensor", "time", "kind", "unit"), ("value", "quality")
# A field of an object, from the mark that leads to it to where its value begins; then its value.
_FIELD = re.compile(rb'((?:\{|, ?)"(\w+)": ?(")?)(?(3)[^"\\]*"|[-0-9][^"\\,}]*)')
_NUMBER = r"^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$"
# A lead has 9 to 13 bytes: two words that overlap. What follows the last line makes room for them.
_WORD, _ROOM = 8, 32
_MAX_LINE_BYTES, _MAX_CELLS = 2**16, 64


@dataclass(frozen=True, slots=True)
class _Grid:
    """Lines with equally many marks. block: their bytes, and some more; words: those that begin at
    each of them.

    starts, ends, shape (n,): of each line, without its break. marks: an array of that shape for
    each mark of a line, in their order.
    """

    block: NDArray[np.uint8]
    words: NDArray[np.uint64]
    starts: IntArray
    ends: IntArray
    marks: NDArray[np.int64]

    @classmethod
    def of(
        cls, block: NDArray[np.uint8], mark: int, each: int, *, at_most: int, between: int = 1
    ) -> _Grid | None:
        """None when a line has not so many of the marks, or has control characters, or there are
        more lines than at_most. between: characters from the end of a line to the next one."""
        characters = block[:-_ROOM]
        is_break = characters == _BREAK
        is_mark = is_break | (characters == mark)
        n = int(np.count_nonzero(is_break))
        if n > at_most or np.count_nonzero(is_mark) != n * (each + 1):
            return None
        places = np.flatnonzero(is_mark)
        marks = np.ascontiguousarray(places.reshape(n, -1).T)
        ends = marks[-1]
        starts = np.concatenate(([0], ends[:-1] + between))
        if not (block[ends] == _BREAK).all():
            return None
        known = len(places) if mark < _FIRST_PRINTABLE else n
        controls = np.count_nonzero(characters < _FIRST_PRINTABLE) - known
        if controls:  # which may only be a return at the end of each line
            ends = ends - 1
            if controls != n or not (block[ends] == _RETURN).all():
                return None
        words = np.lib.stride_tricks.as_strided(
            block[:_WORD].view(np.uint64), (len(block) - _WORD + 1,), (1,)
        )
        return cls(block, words, starts, ends, marks[:-1])

    def has(self, text: bytes, at: IntArray) -> bool:
        """Whether this text, of one or two words, stands at all of these places."""
        return all(
            bool((self.words[at + start] == np.frombuffer(text, np.uint64, 1, start)).all())
            for start in {0, len(text) - _WORD}
        )

    def texts(self, starts: IntArray, ends: IntArray) -> pa.StringArray:
        """What stands there, in each line; the places of a line come before those of the next."""
        bounds = np.empty(2 * len(starts), np.int32)
        bounds[0::2], bounds[1::2] = starts, ends
        buffers = [None, pa.py_buffer(bounds), pa.py_buffer(self.block)]
        pieces = pa.Array.from_buffers(pa.string(), len(bounds) - 1, buffers)
        return pieces.take(pa.array(np.arange(0, len(bounds), 2)))


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of the first line. lead: all that stands before its value."""

    name: str
    lead: bytes
    is_text: bool


def objects(lines: bytes, *, at_most: int, between: bytes = _LINE_BREAK) -> arrow.Columns | None:
    """The columns of JSON objects that have the same fields in the same order.

    lines: UTF-8, of which there may be at_most. between: what stands between two of the objects;
    something else than a line break is a comma, and spaces perhaps.
    """
    if b"\\" in lines or (between != _LINE_BREAK and _LINE_BREAK in lines):
        return None
    block = _block_of(lines)
    if between != _LINE_BREAK:
        _break_lines(block, between)
    fields = _fields(block[:_MAX_LINE_BYTES].tobytes().partition(_LINE_BREAK)[0])
    if fields is None:
        return None
    each = sum(4 if one.is_text else 2 for one in fields)
    grid = _Grid.of(block, _QUOTE, each, at_most=at_most, between=len(between))
    if grid is None:
        return None
    found: dict[str, pa.Array] = {}
    for field, bounds in zip(fields, _values(grid, fields), strict=True):
        column = None if bounds is None else _column(field.name, grid.texts(*bounds))
        if column is None:
            return None
        found[field.name] = column
    return found


def cells(
    rows: bytes, names: Sequence[str], delimiter: str, *, at_most: int
) -> arrow.Columns | None:
    """The columns of a CSV's rows that a reading is made of.

    rows: UTF-8, neither blank nor empty, without quotes, of which there may be at_most.
    """
    if len(names) > _MAX_CELLS:
        return None
    grid = _Grid.of(_block_of(rows), ord(delimiter), len(names) - 1, at_most=at_most)
    if grid is None:
        return None
    starts, ends = [grid.starts, *(grid.marks + 1)], [*grid.marks, grid.ends]
    found: dict[str, pa.Array] = {}
    for name, start, end in zip(names, starts, ends, strict=True):
        if name in arrow.FIELDS.names:
            column = _column(name, grid.texts(start, end)) if (end > start).all() else None
            if column is None:
                return None
            found[name] = column
    return found


def _block_of(lines: bytes) -> NDArray[np.uint8]:
    """The lines, each of them ended, and room after the last one."""
    is_ended = lines.endswith(_LINE_BREAK)
    block = np.zeros(len(lines) + (not is_ended) + _ROOM, np.uint8)
    block[: len(lines)] = np.frombuffer(lines, np.uint8)
    block[-_ROOM - 1] = _BREAK
    return block


def _break_lines(block: NDArray[np.uint8], between: bytes) -> None:
    """Put a line break after each object that another one follows, so that each is a line."""
    pattern = b"}" + between + b"{"
    n = len(block) - len(pattern)
    is_there = block[:n] == pattern[0]
    for at, character in enumerate(pattern[1:], 1):
        is_there &= block[at : at + n] == character
    block[np.flatnonzero(is_there) + 1] = _BREAK


def _fields(first_line: bytes) -> list[_Field] | None:
    """What the first line consists of."""
    line = first_line.rstrip(b"\r")
    found, at = [], 0
    for match in _FIELD.finditer(line):
        lead, name, quote = match.groups()
        if match.start() != at or (lead[:1] == b"{") != (at == 0):
            return None
        found.append(_Field(name.decode(), lead, bool(quote)))
        at = match.end()
    names = {field.name for field in found}
    is_known = all(field.name in (_TEXTS if field.is_text else _NUMBERS) for field in found)
    is_whole = line[at:] == b"}" and is_known and len(names) == len(found)
    return found if is_whole and names.issuperset(arrow.REQUIRED) else None


def _values(grid: _Grid, fields: Sequence[_Field]) -> Iterator[tuple[IntArray, IntArray] | None]:
    """Where each field's values begin and end; None at the first that is not alike everywhere."""
    at, place = grid.starts, 0
    for number, field in enumerate(fields):
        starts = at + len(field.lead)
        place += 2  # the quotes of its name
        if field.is_text:
            place += 2
            ends = grid.marks[place - 1]
            after = ends + 1
        elif number + 1 < len(fields):
            after = ends = grid.marks[place] - fields[number + 1].lead.index(b'"')
        else:
            after = ends = grid.ends - 1
        is_alike = grid.has(field.lead, at) and bool((starts <= ends).all())
        if number + 1 == len(fields):
            is_alike &= bool((after == grid.ends - 1).all() and (grid.block[after] == _CLOSE).all())
        yield (starts, ends) if is_alike else None
        at = after


def _column(name: str, texts: pa.StringArray) -> pa.Array | None:
    """None when one of them is no number and should be."""
    if name in _TEXTS:
        return texts
    is_number = pc.match_substring_regex(texts, _NUMBER)
    return texts.cast(pa.float64()) if pc.all(is_number).as_py() else None

"""Lines of line protocol that are plain, read as columns. Pure.

A line is plain when it has no quote, backslash, comment or control character, one space between
its parts and none after them, and nothing wrong with it. Such lines take no work per line; all
others are left to `line_grammar`. A test holds both to the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sensors.formats.batch import BoolArray, IntArray
from sensors.formats.line_grammar import BOOLEANS
from sensors.rows import MAX_VALUE
from sensors.series import FloatArray

_SPACE, _EQUALS, _COMMA, _BREAK, _ODD = 1, 2, 3, 4, 5
# More digits than this may leave int64; the grammar looks at such numbers one by one.
_MAX_DIGITS = 18
_FLOAT = r"^-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
_LONGEST_BOOLEAN = 5


def _classes() -> bytes:
    """Which of the marks above each byte is."""
    classes = np.zeros(256, np.uint8)
    classes[:32] = classes[127] = _ODD
    for mark, kind in ((b'"\\#', _ODD), (b" ", _SPACE), (b"=", _EQUALS), (b",", _COMMA)):
        classes[list(mark)] = kind
    classes[ord("\n")] = _BREAK
    return classes.tobytes()


def _are(characters: bytes) -> BoolArray:
    table = np.zeros(256, bool)
    table[list(characters)] = True
    return table


_CLASS_OF = _classes()
_IS_DIGIT, _IS_SUFFIX, _IS_LETTER = _are(b"0123456789"), _are(b"iu"), _are(b"tTfF")
_MAY_BEGIN, _MAY_END = _are(b"-.0123456789"), _are(b".0123456789")


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a block of a document and the marks in it; places count from its beginning.

    starts, ends, shape (n,): of each line, without its line break. is_odd: has what plain lines
    have not. marks: places of spaces, equals signs, commas and line breaks; kinds and line of each.
    """

    block: NDArray[np.uint8]
    starts: IntArray
    ends: IntArray
    is_odd: BoolArray
    marks: IntArray
    kinds: NDArray[np.uint8]
    line_of: IntArray

    @classmethod
    def of(cls, text: bytes) -> Lines:
        block = np.frombuffer(text, np.uint8)
        classes = np.frombuffer(text.translate(_CLASS_OF), np.uint8)
        marks = np.flatnonzero(classes != 0)
        kinds = classes[marks]
        is_break = kinds == _BREAK
        breaks = marks[is_break]
        ends = breaks if len(block) and block[-1] == 0x0A else np.append(breaks, len(block))
        starts = np.concatenate(([0], breaks + 1))[: len(ends)]
        line_of = np.cumsum(is_break) - is_break
        is_odd = np.zeros(len(ends), bool)
        is_odd[line_of[kinds == _ODD]] = True
        return cls(block, starts, ends, is_odd, marks, kinds, line_of)

    @property
    def is_comment(self) -> BoolArray:
        """Lines that begin with a hash."""
        found: BoolArray = self.is_filled.copy()
        found[found] = self.block[self.starts[found]] == ord("#")
        return found

    @property
    def is_filled(self) -> BoolArray:
        filled: BoolArray = self.ends > self.starts
        return filled


@dataclass(frozen=True, slots=True)
class Plain:
    """The fields of plain lines, shape (m,), in their order.

    line: place among the lines; series and name: places in series_texts and name_texts.
    times: in the unit of the call, 0 where the line has none, which has_time says.
    """

    line: IntArray
    series: IntArray
    name: IntArray
    values: FloatArray
    times: IntArray
    has_time: BoolArray
    series_texts: list[bytes]
    name_texts: list[bytes]


def read_plain(lines: Lines, wanted: BoolArray) -> Plain:
    """The plain ones of the wanted lines. What is not in the answer has to be read otherwise."""
    is_plain, first, second = _parts(lines, wanted & ~lines.is_odd)
    fields = _Fields.of(lines, is_plain, first, second)
    values, is_number = _numbers(lines.block, fields)
    is_plain[fields.line[~is_number]] = False
    times, is_time = _times(lines, second, is_plain)
    is_plain &= is_time
    kept = is_plain[fields.line]
    fields, values = fields.take(kept), values[kept]
    rows = np.flatnonzero(is_plain)
    series, series_texts = _coded(lines.block, lines.starts[rows], first[rows])
    name, name_texts = _coded(lines.block, fields.name_at, fields.equals)
    code_of = np.zeros(len(is_plain), np.int64)
    code_of[rows] = series
    return Plain(
        fields.line,
        code_of[fields.line],
        name,
        values,
        times[fields.line],
        (second < lines.ends)[fields.line],
        series_texts,
        name_texts,
    )


def _parts(lines: Lines, wanted: BoolArray) -> tuple[BoolArray, IntArray, IntArray]:
    """Which lines have two or three parts, and where the first and the second part end."""
    is_space = lines.kinds == _SPACE
    spaces, line_of = lines.marks[is_space], lines.line_of[is_space]
    count = np.bincount(line_of, minlength=len(lines.ends))
    has_parts = wanted & ((count == 1) | (count == 2))
    at = (np.cumsum(count) - count)[has_parts]
    first, second = lines.starts.copy(), lines.ends.copy()
    first[has_parts] = spaces[at]
    has_time = has_parts & (count == 2)
    second[has_time] = spaces[at[count[has_parts] == 2] + 1]
    has_parts &= (first > lines.starts) & (second > first + 1)
    has_parts &= ~has_time | (lines.ends > second + 1)
    return has_parts, first, second


@dataclass(frozen=True, slots=True)
class _Fields:
    """name=value: the name begins at name_at and ends at equals; the value ends at end."""

    line: IntArray
    name_at: IntArray
    equals: IntArray
    end: IntArray

    @classmethod
    def of(cls, lines: Lines, is_plain: BoolArray, first: IntArray, second: IntArray) -> _Fields:
        """Those of well-formed lines; strikes the others out of is_plain."""
        is_mark = (lines.kinds == _EQUALS) | (lines.kinds == _COMMA)
        is_mark &= is_plain[lines.line_of]
        is_mark &= (lines.marks > first[lines.line_of]) & (lines.marks < second[lines.line_of])
        marks, line = lines.marks[is_mark], lines.line_of[is_mark]
        is_equals = lines.kinds[is_mark] == _EQUALS
        begins = np.append(True, line[1:] != line[:-1])[: len(line)]
        ends = np.append(begins[1:], True)[: len(line)]
        before = np.where(begins, first[line], np.roll(marks, 1))
        after = np.where(ends, second[line], np.roll(marks, -1))
        # Equals signs and commas take turns, from the first to the last.
        is_in_turn = np.where(begins, is_equals, is_equals != np.roll(is_equals, 1))
        is_in_turn &= (is_equals | ~ends) & (marks > before + 1) & (after > marks + 1)
        is_plain &= np.bincount(line, minlength=len(is_plain)) > 0
        is_plain[line[~is_in_turn]] = False
        kept = is_equals & is_plain[line]
        return cls(line[kept], before[kept] + 1, marks[kept], after[kept])

    def take(self, kept: BoolArray) -> _Fields:
        return _Fields(self.line[kept], self.name_at[kept], self.equals[kept], self.end[kept])


def _are_whole(texts: pa.Array, at_most: int) -> BoolArray:
    """Whether each text is a whole number, of so many digits at most; it may have a minus.

    No text may be empty.
    """
    if not len(texts):
        return np.zeros(0, bool)
    _, bounds, characters = texts.buffers()
    ends = np.frombuffer(bounds, np.int32)[: len(texts) + 1]
    bytes_of = np.frombuffer(characters, np.uint8)[: ends[-1]]
    is_negative = bytes_of[ends[:-1]] == ord("-")
    # A count that runs over is one of a text that is too long anyway.
    others = np.add.reduceat((~_IS_DIGIT[bytes_of]).view(np.uint8), ends[:-1])
    digits = np.diff(ends) - is_negative
    whole: BoolArray = (others == is_negative) & (digits > 0) & (digits <= at_most)
    return whole


def _numbers(block: NDArray[np.uint8], fields: _Fields) -> tuple[FloatArray, BoolArray]:
    """The values as numbers, and which of them are such as a reading may have."""
    starts, ends = fields.equals + 1, fields.end
    last = block[ends - 1]
    is_whole = _IS_SUFFIX[last]
    ends = ends - is_whole
    is_good = _MAY_BEGIN[block[starts]] & (ends > starts) & _MAY_END[block[ends - 1]]
    whole = is_good & is_whole
    if whole.any():
        is_unsigned_minus = (last == ord("u")) & (block[starts] == ord("-"))
        is_good[whole] = _are_whole(_slices(block, starts[whole], ends[whole]), _MAX_DIGITS)
        is_good &= ~(is_whole & is_unsigned_minus)
    values = np.zeros(len(starts))
    values[is_good], is_good[is_good] = _floats(_slices(block, starts[is_good], ends[is_good]))
    is_good &= np.abs(values) <= MAX_VALUE
    is_word = _IS_LETTER[block[starts]] & (fields.end - starts <= _LONGEST_BOOLEAN)
    if is_word.any():
        values[is_word], is_good[is_word] = _booleans(block, starts[is_word], fields.end[is_word])
    return values, is_good


def _floats(texts: pa.Array) -> tuple[FloatArray, BoolArray]:
    is_good = np.ones(len(texts), bool)
    try:
        numbers = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        is_good = pc.match_substring_regex(texts.cast(pa.binary()), _FLOAT).to_numpy(False)
        numbers = pc.if_else(pa.array(is_good), texts, "0").cast(pa.float64())
    return numbers.to_numpy(zero_copy_only=False), is_good


def _booleans(
    block: NDArray[np.uint8], starts: IntArray, ends: IntArray
) -> tuple[FloatArray, BoolArray]:
    codes, texts = _coded(block, starts, ends)
    values = np.array([BOOLEANS.get(text, np.nan) for text in texts])[codes]
    return values, ~np.isnan(values)


def _times(lines: Lines, second: IntArray, is_plain: BoolArray) -> tuple[IntArray, BoolArray]:
    """Of each line: its time, and whether it is one, or there is none to be read."""
    times = np.zeros(len(second), np.int64)
    is_good = is_plain.copy()
    rows = np.flatnonzero(is_plain & (second < lines.ends))
    texts = _slices(lines.block, second[rows] + 1, lines.ends[rows])
    is_whole = _are_whole(texts, _MAX_DIGITS + 1)
    try:
        read = texts.filter(pa.array(is_whole)).cast(pa.int64())
    except pa.ArrowInvalid:  # one of 19 digits is past int64
        is_whole = _are_whole(texts, _MAX_DIGITS)
        read = texts.filter(pa.array(is_whole)).cast(pa.int64())
    is_good[rows] = is_whole
    times[rows[is_whole]] = read.to_numpy(zero_copy_only=False)
    return times, is_good


def _slices(block: NDArray[np.uint8], starts: IntArray, ends: IntArray) -> pa.Array:
    """block[starts[i]:ends[i]] for every i, as Arrow texts; the slices follow one another.

    Whether they are UTF-8 is not looked at.
    """
    n = len(starts)
    if not n:
        return pa.array([], pa.string())
    bounds = np.empty(2 * n, np.int32)
    bounds[0::2], bounds[1::2] = starts, ends
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(block)]
    pieces = pa.Array.from_buffers(pa.string(), 2 * n - 1, buffers)
    return pieces.take(pa.array(np.arange(0, 2 * n - 1, 2)))


def _coded(
    block: NDArray[np.uint8], starts: IntArray, ends: IntArray
) -> tuple[IntArray, list[bytes]]:
    """Which of the distinct texts each slice is, and these texts."""
    coded = _slices(block, starts, ends).cast(pa.binary()).dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, coded.dictionary.to_pylist()

"""What documents of text have in common: UTF-8, a byte order mark, lines. Pure."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from sensors.formats.batch import FormatError, TooManyReadings

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A surrogate written as an escape. In pairs they are a character; alone they are no text.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# A reading has at most this many brackets, braces and commas; a document with more cannot be one,
# and parsing it could take thirty times its size in memory.
_MAX_MARKS_PER_READING = 32
_SMALL_BYTES = 5 * 2**20
_NEWLINE, _RETURN = b"\n\r"


def unmarked(body: bytes) -> bytes:
    """The body without its byte order mark."""
    return body.removeprefix(_BYTE_ORDER_MARK)


def is_utf8(body: bytes) -> bool:
    """Looks at the bytes where they lie; decoding would take up to four times as many."""
    if body.isascii():
        return True
    ends = np.array([0, len(body)], dtype=np.int32)
    text = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(ends), pa.py_buffer(body)])
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def require_utf8(body: bytes, first_line: int = 1) -> None:
    """Raises FormatError naming the first byte that is none, and its line."""
    if is_utf8(body):
        return
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line - 1 + line_at(body, error.start)
        raise FormatError("not_utf8", "it is not UTF-8", error.start, line) from error


def is_plain_json(body: bytes) -> bool:
    """Whether no character needs care: all UTF-8, no NUL, no surrogates."""
    has_surrogates = b"\\" in body and _SURROGATE.search(body) is not None
    return not has_surrogates and b"\0" not in body and is_utf8(body)


def breaks(body: bytes) -> int:
    """How many line breaks there are; quicker than bytes.count where there are many."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == _NEWLINE))


def line_at(body: bytes, position: int) -> int:
    """Number of the line, from 1."""
    return body.count(b"\n", 0, position) + 1


def refuse_crumbs(body: bytes, max_readings: int, marks: bytes = b"{[,") -> None:
    """Raises TooManyReadings for what cannot be so few readings and is costly to parse."""
    if len(body) <= _SMALL_BYTES:
        return
    found = sum(body.count(marks[place : place + 1]) for place in range(len(marks)))
    if found > _MAX_MARKS_PER_READING * max_readings:
        raise TooManyReadings(max_readings)


def refuse_lines(body: bytes, max_readings: int) -> None:
    """Raises TooManyReadings when there are more lines than that which are not empty."""
    characters = np.frombuffer(body, np.uint8)
    if np.count_nonzero(characters <= _RETURN) < max_readings:  # other controls among them
        return
    is_break = (characters == _NEWLINE) | (characters == _RETURN)
    if np.count_nonzero(is_break) < max_readings:
        return
    lines = int(np.count_nonzero(is_break[:-1] & ~is_break[1:])) + (not is_break[0])
    if lines > max_readings:
        raise TooManyReadings(max_readings)

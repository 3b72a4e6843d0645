"""Text whose lines all have one pattern → columns. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sensors.formats import scan
from sensors.formats.batch import Coded
from sensors.formats.patterns import NAME, NUMBER, TIME, Pattern
from sensors.series import FloatArray, TimeArray

# Places are noted in 32 bits.
_MAX_BYTES = 2**31 - 2**16


@dataclass(frozen=True, slots=True)
class Found:
    """The values of all lines, in the order of the pattern: columns of shape (n,) of each sort."""

    names: list[Coded]
    times: list[TimeArray]
    numbers: list[FloatArray]


def found_in(text: bytes, pattern: Pattern, *, at_most: int) -> Found | None:
    """None when one of the lines has another pattern or there are more than at_most.

    text: UTF-8, of less than 2 GiB. A number is read as JSON has it, a time of the form
    YYYY-MM-DDTHH:MM:SS[.f](Z|±HH:MM).
    """
    if len(text) > _MAX_BYTES:
        return None
    words, marks = _laid_out(text, pattern)
    rows = min(len(text) // pattern.shortest + 1, at_most)
    names = scan.Names.of(pattern.what.count(NAME), rows)
    rest = scan.Rest.of(pattern.what.count(TIME), pattern.what.count(NUMBER), rows)
    read = scan.scan(words, marks, names, rest)
    if not read:
        return None
    if len(rest.found_hard):
        _read_hard(text, rest)
    return Found(
        _coded(text, names, read),
        list(rest.times[:, :read].view("datetime64[us]")),
        list(rest.numbers[:, :read]),
    )


def _laid_out(text: bytes, pattern: Pattern) -> tuple[scan.Text, scan.Marks]:
    """The text, and behind it the pattern, so that both are compared where they lie."""
    what = pattern.what
    pieces = [*pattern.leads, pattern.closing + pattern.between]
    rest = b"" if text.endswith(pattern.between) else pattern.between
    behind = b"".join((rest, bytes(scan.ROOM), *pieces, bytes(scan.ROOM)))
    characters = np.empty(len(text) + len(behind), np.uint8)
    characters[: len(text)] = np.frombuffer(text, np.uint8)
    characters[len(text) :] = np.frombuffer(behind, np.uint8)
    words = np.ndarray((len(characters) - scan.WORD + 1,), np.uint64, characters, strides=(1,))
    return words, scan.Marks(
        size=len(text) + len(rest),
        bounds=len(text) + len(rest) + scan.ROOM + np.cumsum([0, *map(len, pieces)]),
        what=np.array(what),
        columns=np.array([what[:at].count(one) for at, one in enumerate(what)]),
        banned=pattern.banned,
    )


def _coded(text: bytes, names: scan.Names, rows: int) -> list[Coded]:
    return [
        Coded(tuple(text[at : at + n].decode() for at, n, _ in known[:many].tolist()), codes[:rows])
        for codes, known, many in zip(names.codes, names.known, names.many, strict=True)
    ]


def _read_hard(text: bytes, rest: scan.Rest) -> None:
    """Read the numbers that are hard as Arrow does, which rounds each of them rightly."""
    column, row, start, end = rest.found_hard.T
    edges = np.stack([start, end], axis=1).ravel().astype(np.int32)
    buffers = [None, pa.py_buffer(edges), pa.py_buffer(text)]
    pieces = pa.Array.from_buffers(pa.string(), len(edges) - 1, buffers)
    texts = pieces.take(pa.array(np.arange(0, len(edges), 2)))
    rest.numbers[column, row] = texts.cast(pa.float64()).to_numpy()

"""A large document in parts of whole lines, so that its first rows can be on their way to the
database while the last ones are still read. Pure.

The parts are small at first, for the database to begin soon, and then grow, for each costs a
little whatever it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sensors.formats import text
from sensors.formats.batch import Batch, FormatError

# A shorter document is read as a whole before the database would have begun.
LEAST_BYTES = 2**17
_FIRST_BYTES, _MOST_BYTES = 2**16, 2**20


class Inseparable(Exception):
    """What this document holds, or what is wrong with it, says only the whole."""


def read(
    lines: bytes, one: Callable[[bytes, int], Batch | None], *, max_readings: int, gap: bytes = b""
) -> Iterator[Batch]:
    """The batches of the document, in order; their rows are counted through.

    one: called with whole lines and the number of the first, from 1. gap: what stands between an
    end of a line and the next line; an end is a line break, or a brace where there is a gap.
    Raises Inseparable for more readings, and when one() gives none or raises FormatError.
    """
    line, rows = 1, 0
    for part in _cut(lines, gap):
        batch = _batch_of(part, line, one)
        is_marked = rows and part.startswith(text.BYTE_ORDER_MARK)  # only a document may be
        if is_marked or rows + len(batch) > max_readings:
            raise Inseparable
        yield moved(batch, rows)
        line, rows = line + text.breaks(part), rows + len(batch)


def moved(batch: Batch, rows: int) -> Batch:
    """The batch with so many rows of the document before it."""
    if not rows:
        return batch
    original = batch.original
    return replace(
        batch,
        index=batch.index + rows,
        rejected=tuple(replace(one, index=one.index + rows) for one in batch.rejected),
        original=None if original is None else lambda row: original(row - rows),
    )


def _batch_of(part: bytes, line: int, one: Callable[[bytes, int], Batch | None]) -> Batch:
    try:
        batch = one(part, line)
    except FormatError as error:
        raise Inseparable from error
    if batch is None:
        raise Inseparable
    return batch


def _cut(lines: bytes, gap: bytes) -> Iterator[bytes]:
    end = b"}" + gap + b"{" if gap else b"\n"
    at, size = 0, _FIRST_BYTES
    while at < len(lines):
        found = lines.find(end, at + size) if len(lines) - at > 2 * size else -1
        stop = found + 1 if found >= 0 else len(lines)
        yield lines[at:stop]
        at, size = stop + len(gap), min(4 * size, _MOST_BYTES)

"""JSON: an array of readings, or {"readings": […]}. Pure.

Flat objects between which the same always stands, as devices write them, are read as lines are.
"""

from __future__ import annotations

import re
from typing import Any

from sensors.formats import alike, arrow, ndjson, objects, text
from sensors.formats.batch import MAX_READINGS, Batch, FormatError, TooManyReadings
from sensors.formats.documents import parse_json

# Fewer objects are sooner read by themselves.
_LARGE_BYTES = 2**12
_SPACE = rb"[ \t\r\n]*"
_OPENING = re.compile(
    rb'%b(\{%b"readings"%b:%b)?\[%b(?=\{)' % (_SPACE, _SPACE, _SPACE, _SPACE, _SPACE)
)
_END_OF_ARRAY = re.compile(rb"(?<=\})%b\]%b\Z" % (_SPACE, _SPACE))
_END_OF_OBJECT = re.compile(rb"(?<=\})%b\]%b\}%b\Z" % (_SPACE, _SPACE, _SPACE))
_GAP = re.compile(rb"(?<=\})%b,%b(?=\{)" % (_SPACE, _SPACE))
_TAIL_BYTES = 2**8
# As most libraries write them.
_USUAL_GAPS = (b",", b", ")


def from_json(body: bytes, *, max_readings: int = MAX_READINGS) -> Batch:
    """An array of readings, or {"readings": […]}. Of a key given twice the last one counts.

    Raises FormatError when the document is not that; a bad row only rejects itself.
    """
    body = text.unmarked(body)
    batch = _line_by_line(body, max_readings) if len(body) >= _LARGE_BYTES else None
    return batch or _object_by_object(body, max_readings)


def _line_by_line(body: bytes, max_readings: int) -> Batch | None:
    """Flat objects, read as if each stood on a line; None where it is not plain that they are all.

    A gap inside a text becomes a line break in a text, which is no JSON.
    """
    rows = _objects_in(body)
    found = _GAP.search(rows) if rows else None
    if rows is None or found is None:
        return None
    gap = found.group()
    batch = None
    if gap in _USUAL_GAPS and text.is_utf8(rows):
        original = arrow.later(lambda: _rows_of(parse_json(body)))
        batch = alike.objects(rows, at_most=max_readings, between=gap, original=original)
    if batch is not None:
        return batch
    between = b"}" + gap + b"{"
    lines = rows.replace(between, b"}\n{")
    # Line breaks anywhere else, where none is part of the gap, stand inside an object.
    has_others = b"\n" in rows and lines.count(b"\n") != rows.count(between)
    return None if has_others else ndjson.batch_of_lines(lines, max_readings)


def _objects_in(document: bytes) -> bytes | None:
    """What stands in the array, from the first brace to the last; None where it is no array."""
    opening = _OPENING.match(document)
    if opening is None:
        return None
    # The end is looked at by itself: a document is copied once.
    tail = document[-_TAIL_BYTES:]
    end = (_END_OF_OBJECT if opening.group(1) else _END_OF_ARRAY).search(tail)
    return document[opening.end() : len(document) - len(tail) + end.start()] if end else None


def _object_by_object(body: bytes, max_readings: int) -> Batch:
    rows = _rows_of(parse_json(body, max_readings=max_readings))
    if len(rows) > max_readings:
        raise TooManyReadings(max_readings)
    return objects.batch_of(rows)


def _rows_of(document: Any) -> list[Any]:
    rows = document.get("readings") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise FormatError(
            "not_a_batch", 'the body must be an array of readings or {"readings": [...]}'
        )
    return rows

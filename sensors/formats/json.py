"""JSON: an array of readings, or {"readings": […]}. Pure."""

from __future__ import annotations

from typing import Any

from sensors.formats import arrow, halves, ndjson, objects, text
from sensors.formats.batch import MAX_READINGS, Batch, FormatError, TooManyReadings
from sensors.formats.documents import parse_json

_BETWEEN = b"},{"


def from_json(body: bytes, *, max_readings: int = MAX_READINGS) -> Batch:
    """An array of readings, or {"readings": […]}. Of a key given twice the last one counts.

    Raises FormatError when the document is not that; a bad row only rejects itself.
    """
    body = text.unmarked(body)
    return _quickly(body, max_readings) or _as_objects(body, max_readings)


def _quickly(body: bytes, max_readings: int) -> Batch | None:
    """An array of flat objects with nothing but commas between them, read as their lines would be;
    None for all else.

    A `},{` inside a text becomes a line break in a text, which is no JSON: then this is None too.
    """
    stripped = body.strip(b" \t\r\n")
    if len(stripped) < halves.LEAST_BYTES or stripped[:2] != b"[{" or stripped[-2:] != b"}]":
        return None
    if b"\n" in stripped or not text.is_plain_json(stripped):
        return None
    lines = stripped[1:-1].replace(_BETWEEN, b"}\n{")
    if lines.count(b"\n") >= max_readings:
        return None
    columns = ndjson.flat_objects(lines)
    if columns is None:
        return None
    return arrow.batch_of(columns, arrow.later(lambda: _rows_of(parse_json(body))))


def _as_objects(body: bytes, max_readings: int) -> Batch:
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

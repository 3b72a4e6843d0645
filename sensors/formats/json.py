"""JSON: an array of readings, or {"readings": […]}. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from sensors.formats import ndjson, objects, parts, text
from sensors.formats.batch import MAX_READINGS, Batch, FormatError, TooManyReadings
from sensors.formats.documents import parse_json
from sensors.formats.parts import Inseparable

_SPACE = b" \t\r\n"
_OPENING = re.compile(rb'(\{[ \t\r\n]*"readings"[ \t\r\n]*:[ \t\r\n]*)?\[[ \t\r\n]*(?=\{)')
_GAP = re.compile(rb"(?<=\})[ \t\r\n]*,[ \t\r\n]*(?=\{)")


def from_json(body: bytes, *, max_readings: int = MAX_READINGS) -> Batch:
    """An array of readings, or {"readings": […]}. Of a key given twice the last one counts.

    Raises FormatError when the document is not that; a bad row only rejects itself.
    """
    rows = _rows_of(parse_json(text.unmarked(body), max_readings=max_readings))
    if len(rows) > max_readings:
        raise TooManyReadings(max_readings)
    return objects.batch_of(rows)


def parts_of_json(body: bytes, *, max_readings: int = MAX_READINGS) -> Iterator[Batch]:
    """The same in parts, of flat objects between which the same always stands.

    Raises Inseparable for all else.
    """
    rows = _objects_in(text.unmarked(body).strip(_SPACE))
    found = _GAP.search(rows)
    if found is None:
        raise Inseparable
    gap = found.group()
    yield from parts.read(rows, partial(_read_part, gap=gap), max_readings=max_readings, gap=gap)


def _objects_in(document: bytes) -> bytes:
    """What stands in the array, from the first brace to the last."""
    opening = _OPENING.match(document)
    if opening is None:
        raise Inseparable
    if opening.group(1):
        document = _without(b"}", document)
    return _without(b"]", document)[opening.end() :]


def _without(end: bytes, document: bytes) -> bytes:
    if not document.endswith(end):
        raise Inseparable
    return document[: -len(end)].rstrip(_SPACE)


def _read_part(part: bytes, _line: int, *, gap: bytes) -> Batch | None:
    """Objects read as their lines would be.

    A gap inside a text becomes a line break in a text, which is no JSON: then this is None, as it
    is for line breaks anywhere else.
    """
    lines = part.replace(b"}" + gap + b"{", b"}\n{")
    if b"\n" in part and lines.count(b"\n") != part.count(b"}" + gap + b"{"):
        return None
    return ndjson.batch_of_lines(lines)


def _rows_of(document: Any) -> list[Any]:
    rows = document.get("readings") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise FormatError(
            "not_a_batch", 'the body must be an array of readings or {"readings": [...]}'
        )
    return rows

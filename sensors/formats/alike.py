"""Lines that are alike but for their values. Pure.

Devices write every line in one way. Then what stands between the values is known from the first
line, and the others are read by that. Whatever is otherwise, in one line even, is left to readers
that know all of a format: here it is None.

Unlike Arrow's readers of documents, this needs no second thread, which has to be waited for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from sensors.formats import checked
from sensors.formats.batch import Batch
from sensors.formats.patterns import NAME, NUMBER, SKIPPED, TIME, Pattern
from sensors.rows import REQUIRED

_OPEN, _CLOSE, _BREAK, _RETURN = b"{", b"}", b"\n", b"\r\n"
_BACKSLASH = ord("\\")
_NAMES, _NUMBERS = ("sensor", "kind", "unit"), ("value", "quality")
_WHAT = {**dict.fromkeys(_NAMES, NAME), "time": TIME, **dict.fromkeys(_NUMBERS, NUMBER)}
# A field of an object, from the mark that leads to it to where its value begins; then its value.
_FIELD = re.compile(rb'((?:\{|, ?)"(\w+)": ?("?))((?<=")[^"\\]*"|(?<!")[-0-9][^"\\,}]*)')
_MAX_FIELDS = len(_WHAT)

Original = Callable[[int], Any]


def objects(
    lines: bytes, *, at_most: int, original: Original | None, between: bytes = _BREAK
) -> Batch | None:
    """The readings of JSON objects that have the same fields in the same order.

    lines: UTF-8, of which there may be at_most. between: what stands between two of the objects;
    something else than a line break is a comma, and spaces perhaps, and stands after none.
    """
    names: list[str] = []
    leads, closing, at = [], b"", 0
    while (field := _FIELD.match(lines, at)) and len(names) < _MAX_FIELDS:
        lead, name, quote, _ = field.groups()
        what = _WHAT.get(name.decode())
        if what is None or (what == NUMBER) == bool(quote) or (at == 0) != lead.startswith(_OPEN):
            return None
        names.append(name.decode())
        leads.append(closing + lead)
        closing, at = quote, field.end()
    if lines[at : at + 1] != _CLOSE or (between != _BREAK and not lines.endswith(_CLOSE)):
        return None
    if between == _BREAK and lines[at + 1 : at + 2] == _RETURN[:1]:
        between = _RETURN
    pattern = Pattern(tuple(leads), closing + _CLOSE, between, _what(names), _BACKSLASH)
    return _batch(lines, names, pattern, at_most, original)


def cells(
    rows: bytes, names: Sequence[str], delimiter: str, *, at_most: int, original: Original | None
) -> Batch | None:
    """The readings of a CSV's rows, of which there may be at_most.

    rows: UTF-8, without quotes.
    """
    mark = delimiter.encode()
    between = _RETURN if rows.partition(_BREAK)[0].endswith(_RETURN[:1]) else _BREAK
    leads = (b"", *[mark] * (len(names) - 1))
    return _batch(
        rows, names, Pattern(leads, b"", between, _what(names), ord(mark)), at_most, original
    )


def prepare() -> None:
    """Load the compiled code, which the first batch would wait for."""
    cells(b"a,2026-01-02T03:04:05Z,1\n", REQUIRED, ",", at_most=1, original=None)


def _what(names: Sequence[str]) -> tuple[int, ...]:
    return tuple(_WHAT.get(name, SKIPPED) for name in names)


def _batch(
    text: bytes, names: Sequence[str], pattern: Pattern, at_most: int, original: Original | None
) -> Batch | None:
    """names: of the values, in their order."""
    # Compiled code is large; who reads no batch does without it.
    from sensors.formats import columns

    is_reading = set(REQUIRED).issubset(names) and len(set(names)) == len(names)
    found = columns.found_in(text, pattern, at_most=at_most) if is_reading else None
    if found is None:
        return None
    texts = dict(zip((name for name in names if name in _NAMES), found.names, strict=True))
    numbers = dict(zip((name for name in names if name in _NUMBERS), found.numbers, strict=True))
    return checked.batch_of(
        texts["sensor"],
        found.times[0],
        numbers["value"],
        quality=numbers.get("quality"),
        kind=texts.get("kind"),
        unit=texts.get("unit"),
        original=original,
    )

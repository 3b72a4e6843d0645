"""The grammar of InfluxDB line protocol, one line at a time, exactly. Pure.

    measurement[,tag=value…] field=value[,field=value…] [time]

A backslash escapes a comma, an equals sign and a space in names and tag values, a quote and a
backslash in string values; before anything else it stands for itself. A string value may hold line
breaks. What InfluxDB refuses is refused here, in its words. Two things differ: a line break ends
every line that is not inside a string value, and a string that is never closed, or is followed by
rubbish, costs its own line only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sensors.formats.batch import MAX_READINGS, TooManyReadings
from sensors.formats.line_template import Series

_NAME = re.compile(rb"(?:[^,= \n\\]++|\\[,= ]?+)++")
_MEASUREMENT = re.compile(rb"(?!,)(?:[^, \n\\]++|\\[,= ]?+)++")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_VALUE = re.compile(rb"[^, \n]*+")
_FLOAT = re.compile(rb"-?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?")
_INTEGER = re.compile(rb"(-?[0-9]{1,400})i|([0-9]{1,400})u")
_TIME = re.compile(rb"-?[0-9]{1,400}(?=[ \t\n]|\Z)")
_BLANKS = re.compile(rb"[ \t\0]*+")
_END = re.compile(rb"[ \t]*+(?:\n|\Z)")
_ESCAPED = re.compile(rb"\\([,= ])")

BOOLEANS = {
    **dict.fromkeys((b"t", b"T", b"true", b"True", b"TRUE"), 1.0),
    **dict.fromkeys((b"f", b"F", b"false", b"False", b"FALSE"), 0.0),
}


class LineError(ValueError):
    """Why a line is none. `at`: where in the body; the line ends at the next line break."""

    def __init__(self, detail: str, at: int) -> None:
        super().__init__(detail)
        self.at = at


@dataclass(frozen=True, slots=True)
class Point:
    """A line that was read. fields: the numeric and boolean ones; strings: how many others.

    time: in the unit of the call, None where the line has none; end: where the next line begins.
    """

    series: Series
    fields: tuple[tuple[str, float], ...]
    strings: int
    time: int | None
    end: int


def read_point(body: bytes, at: int, *, max_fields: int = MAX_READINGS) -> Point | int:
    """The line that begins at `at`; for a blank line or a comment where the next one begins.

    Raises LineError, and TooManyReadings for a line of more fields.
    """
    at = _past(_BLANKS, body, at)
    if at >= len(body) or body[at] in b"\n#":
        return line_end(body, at)
    series, at = read_series(body, at)
    if at >= len(body) or body[at] == 0x0A:
        raise LineError("missing fields", at)
    fields, strings, at = _read_fields(body, _past(_BLANKS, body, at), max_fields)
    time, end = _read_time(body, at)
    return Point(series, tuple(fields), strings, time, end)


def line_end(body: bytes, at: int) -> int:
    """Where the line after the one of `at` begins."""
    return body.find(b"\n", at) + 1 or len(body)


def read_series(body: bytes, at: int) -> tuple[Series, int]:
    """Measurement and tags, and where they end: at a space, a line break or the end of the body.

    >>> read_series(rb"cpu\\ load,host=a,core=0 v=1", 0)
    (Series(measurement='cpu load', tags=(('core', '0'), ('host', 'a'))), 23)
    """
    found = _MEASUREMENT.match(body, at)
    if found is None:
        raise LineError("missing measurement", at)
    measurement, at = _text(found.group(), at), found.end()
    tags: dict[str, str] = {}
    while body[at : at + 1] == b",":
        name, at = _read_name(body, at + 1, "tag key")
        if body[at : at + 1] != b"=":
            raise LineError("missing tag value", at)
        value, at = _read_name(body, at + 1, "tag value")
        if body[at : at + 1] == b"=":
            raise LineError("invalid tag format", at)
        if name in tags:
            raise LineError("duplicate tags", at)
        tags[name] = value
    return Series(measurement, tuple(sorted(tags.items()))), at


def _read_fields(body: bytes, at: int, max_fields: int) -> tuple[list[tuple[str, float]], int, int]:
    fields: list[tuple[str, float]] = []
    strings = 0
    if at >= len(body) or body[at] == 0x0A:
        raise LineError("missing fields", at)
    while True:
        name, at = _read_name(body, at, "field key")
        if body[at : at + 1] != b"=":
            raise LineError("invalid field format", at)
        if body[at + 1 : at + 2] == b'"':
            at = _past_string(body, at + 1)
            strings += 1
        else:
            number, at = _read_number(body, at + 1)
            fields.append((name, number))
        if body[at : at + 1] != b",":
            return fields, strings, at
        if len(fields) > max_fields:
            raise TooManyReadings(max_fields)
        at += 1


def _read_name(body: bytes, at: int, what: str) -> tuple[str, int]:
    found = _NAME.match(body, at)
    if found is None:
        raise LineError(f"missing {what}", at)
    return _text(found.group(), at), found.end()


def _past_string(body: bytes, at: int) -> int:
    found = _STRING.match(body, at)
    if found is None:
        raise LineError("unbalanced quotes", at)
    end = found.end()
    if end < len(body) and body[end] not in b", \n":
        raise LineError("invalid field format", at)
    return end


def _read_number(body: bytes, at: int) -> tuple[float, int]:
    found = _VALUE.match(body, at)
    assert found is not None  # noqa: S101  the pattern matches nothing, too
    token, end = found.group(), found.end()
    if not token:
        raise LineError("missing field value", at)
    if token in BOOLEANS:
        return BOOLEANS[token], end
    if token[0] not in b"-.0123456789Nn":
        raise LineError("invalid boolean", at)
    return _number(token, at), end


def _number(token: bytes, at: int) -> float:
    if _FLOAT.fullmatch(token):
        number = float(token)
        if number in {float("inf"), float("-inf")}:
            raise LineError("invalid float", at)
        return number
    found = _INTEGER.fullmatch(token)
    if found is None:
        raise LineError("invalid number", at)
    signed, unsigned = found.groups()
    whole = int(signed or unsigned)
    if not (-(2**63) <= whole < 2**63 if signed else whole < 2**64):
        raise LineError("unable to parse integer: value out of range", at)
    return float(whole)


def _read_time(body: bytes, at: int) -> tuple[int | None, int]:
    if found := _END.match(body, at):
        return None, found.end()
    if body[at] != 0x20:
        raise LineError("invalid field format", at)
    at = _past(_BLANKS, body, at)
    found = _TIME.match(body, at)
    if found is None:
        raise LineError("bad timestamp", at)
    end = _END.match(body, found.end())
    if end is None:
        raise LineError("point is invalid", at)
    return int(found.group()), end.end()


def _past(pattern: re.Pattern[bytes], body: bytes, at: int) -> int:
    found = pattern.match(body, at)
    return found.end() if found else at


def _text(name: bytes, at: int) -> str:
    if b"\\" in name:
        name = _ESCAPED.sub(rb"\1", name)
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise LineError("not UTF-8", at) from error

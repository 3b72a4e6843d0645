"""Times as devices write them: ISO 8601 with a zone → UTC datetime64[us]. Pure.

A whole column of the common form (`2026-01-02T03:04:05.678Z`, `…+01:00`) is read at once; rarer
forms (no seconds, a comma, lower case) are read one by one. Digits past the microsecond are cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from sensors.series import TimeArray, to_datetime64

# Nothing was measured before; years further back overflow the arithmetic of those who read them.
EARLIEST = np.datetime64("1900-01-01T00:00:00", "us")
LATEST = np.datetime64("9999-12-31T23:59:59.999999", "us")
EXAMPLE = "2026-01-02T03:04:05Z"

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?(Z|[+-]\d\d(?::?[0-5]\d)?)",
    re.ASCII | re.IGNORECASE,
)
_SHORTEST, _LONGEST = len("2026-01-02T03:04:05Z"), len("2026-01-02T03:04:05.123456789+01:00")
_SEPARATORS = {4: "-", 7: "-", 10: "T", 13: ":", 16: ":"}
_FRACTION_AT, _FRACTION_DIGITS = 19, 9


def parse(text: str) -> np.datetime64:
    """One time as datetime64[us], UTC. Raises ValueError with a sentence for the sender.

    >>> parse("2026-01-02T03:04+01:00")
    np.datetime64('2026-01-02T02:04:00.000000')
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(f"time must be ISO 8601 with a zone, like {EXAMPLE}")
    day, clock, fraction, zone = form.groups()
    if fraction and len(clock) == len("00:00"):
        raise ValueError("time has a fraction but no seconds")
    digits = (fraction or "")[:6].ljust(6, "0")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}").replace(microsecond=int(digits))
        offset = datetime.fromisoformat(f"2000-01-01T00:00{zone.upper()}").tzinfo
        time = to_datetime64(moment.replace(tzinfo=offset).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"time does not exist: {error}") from error
    if time < EARLIEST:
        raise ValueError("time is before 1900")
    return time


def parse_column(texts: Sequence[str]) -> TimeArray | None:
    """Times of shape (n,), or None when any of them is invalid or not of the common form.

    >>> parse_column(["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5+01:00"])
    array(['2026-01-02T03:04:05.000000', '2026-01-02T02:04:05.500000'],
          dtype='datetime64[us]')
    """
    lengths = set(map(len, texts))
    if not all(_SHORTEST <= length <= _LONGEST for length in lengths):
        return None
    times = _parse_alike(texts, *lengths) if len(lengths) == 1 else _parse_mixed(texts)
    if times is None or not len(times):
        return times
    return times if times.min() >= EARLIEST and times.max() <= LATEST else None


def _parse_mixed(texts: Sequence[str]) -> TimeArray | None:
    lengths = np.fromiter(map(len, texts), np.int64, count=len(texts))
    times = np.empty(len(texts), dtype="datetime64[us]")
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        found = _parse_alike([texts[row] for row in rows.tolist()], length)
        if found is None:
            return None
        times[rows] = found
    return times


def _parse_alike(texts: Sequence[str], length: int) -> TimeArray | None:
    """Times of texts of one length that have one layout, else None."""
    joined = "".join(texts)
    if not joined.isascii():
        return None
    characters = np.frombuffer(joined.encode(), np.uint8).reshape(len(texts), length)
    zone_at = length - (1 if joined[-1] == "Z" else len("+00:00"))
    if not _has_layout(characters, zone_at):
        return None
    local = np.ascontiguousarray(characters[:, :zone_at]).view(f"S{zone_at}").ravel()
    try:
        times = local.astype("datetime64[us]")
    except ValueError:  # a month 13, a 30 February
        return None
    return times if zone_at == length - 1 else _to_utc(times, characters[:, zone_at:])


def _has_layout(characters: NDArray[np.uint8], zone_at: int) -> bool:
    """Whether every row is digits with the separators at their places; no digit is out of range."""
    if zone_at == _FRACTION_AT + 1 or zone_at > _FRACTION_AT + 1 + _FRACTION_DIGITS:
        return False
    separators = dict(_SEPARATORS)
    if zone_at > _FRACTION_AT:
        separators[_FRACTION_AT] = "."
    digits = [place for place in range(zone_at) if place not in separators]
    if zone_at == characters.shape[1] - 1:
        separators[zone_at] = "Z"
    else:
        separators[zone_at + 3] = ":"
        digits += [zone_at + 1, zone_at + 2, zone_at + 4, zone_at + 5]
    separate = np.frombuffer("".join(separators.values()).encode(), np.uint8)
    return bool(
        (characters[:, list(separators)] == separate).all()
        and (characters[:, digits] - np.uint8(ord("0")) <= 9).all()
        and (characters[:, :4] != ord("0")).any(axis=1).all()
    )


def _to_utc(times: TimeArray, zones: NDArray[np.uint8]) -> TimeArray | None:
    """`zones`: (n, 6) characters such as `+01:00`."""
    is_ahead, is_behind = zones[:, 0] == ord("+"), zones[:, 0] == ord("-")
    digits = zones.astype(np.int64) - ord("0")
    hours, minutes = digits[:, 1] * 10 + digits[:, 2], digits[:, 4] * 10 + digits[:, 5]
    if not ((is_ahead | is_behind) & (hours < 24) & (minutes < 60)).all():
        return None
    offset = (hours * 60 + minutes).astype("timedelta64[m]")
    return times - np.where(is_ahead, offset, -offset)

"""Times as devices write them: ISO 8601 with a zone → UTC datetime64[us]. Pure.

A whole column of the common form (`2026-01-02T03:04:05.678Z`, `…+01:00`) is read at once; rarer
forms (a comma, lower case) are read one by one. Digits past the microsecond are cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sensors.series import EARLIEST_DATETIME, TimeArray, to_datetime64

EARLIEST = to_datetime64(EARLIEST_DATETIME)
LATEST = np.datetime64("9999-12-31T23:59:59.999999", "us")
EXAMPLE = "2026-01-02T03:04:05Z"

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?(Z|[+-]\d\d(?::?[0-5]\d)?)",
    re.ASCII | re.IGNORECASE,
)
_SHORTEST = len("2026-01-02T03:04Z")
# What tells our form from others that Arrow reads too: place → character.
_SEPARATORS = {10: ord("T"), 13: ord(":")}


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


def parse_column(texts: pa.StringArray | Sequence[str]) -> TimeArray | None:
    """Times of shape (n,), or None when any of them is invalid or not of the common form.

    >>> parse_column(["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5+01:00"])
    array(['2026-01-02T03:04:05.000000', '2026-01-02T02:04:05.500000'],
          dtype='datetime64[us]')
    """
    column = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    if column.null_count or not _has_layout(column):
        return None
    times = _cast(column, "us")
    if times is None:  # more than six digits of a second
        times = _cast(column, "ns")
    return times if times is not None and are_known(times) else None


def are_known(times: TimeArray) -> bool:
    """Whether every time of the column may be a reading's; NaT may not."""
    return bool(((times >= EARLIEST) & (times <= LATEST)).all())


def _has_layout(column: pa.StringArray) -> bool:
    if not len(column):
        return True
    starts, characters = _buffers(column)
    if np.diff(starts).min() < _SHORTEST:
        return False
    first = starts[:-1]
    return all((characters[first + at] == mark).all() for at, mark in _SEPARATORS.items())


def _buffers(column: pa.StringArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Where each text starts, shape (n + 1,), and the bytes of all of them."""
    _, starts, characters = column.buffers()
    return (
        np.frombuffer(starts, np.int32)[column.offset : column.offset + len(column) + 1],
        np.frombuffer(characters or b"", np.uint8),
    )


def _cast(column: pa.StringArray, unit: str) -> TimeArray | None:
    try:
        times = column.cast(pa.timestamp(unit, "UTC"))
    except pa.ArrowInvalid:
        return None
    found: TimeArray = times.to_numpy(zero_copy_only=False).astype("datetime64[us]")
    return found

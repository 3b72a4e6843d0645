"""How numbers, times and ids are written for people. Pure: text in, text out."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

MINUS = "−"
DASH = "–"
_STEPS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def number(value: float | None, digits: int = 4) -> str:
    """A value to `digits` significant digits, without the zeros that say nothing.

    >>> [number(v) for v in (0.0, 12.34567, -0.5, 20480.4, 1.5e9, 0.00012)]
    ['0', '12.35', '−0.5', '20,480', '1.5e9', '1.2e-4']
    >>> number(None), number(float("nan"))
    ('–', 'not a number')
    """
    if value is None:
        return DASH
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
    return _plain(abs(value), digits) if value >= 0 else MINUS + _plain(abs(value), digits)


def _plain(size: float, digits: int) -> str:
    if size == 0:
        return "0"
    power = math.floor(math.log10(size))
    if power < -3 or power > 6:
        mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
        return f"{_bare(mantissa)}e{int(exponent)}"
    return _bare(f"{size:,.{max(0, digits - 1 - power)}f}")


def _bare(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(value: float | None, unit: str) -> str:
    """A value with its unit.

    >>> quantity(41.26004, "mm/s"), quantity(None, "mm/s"), quantity(3, "")
    ('41.26 mm/s', '–', '3')
    """
    text = number(value)
    return text if value is None or not unit else f"{text} {unit}"


def span(low: float | None, high: float | None, unit: str) -> str:
    """A range of values, open where a side is not known.

    >>> span(28.0, 41.5, "mm/s"), span(None, 5.0, "V"), span(None, None, "V")
    ('28 – 41.5 mm/s', 'up to 5 V', '–')
    """
    if low is None and high is None:
        return DASH
    if low is None:
        return f"up to {quantity(high, unit)}"
    if high is None:
        return f"from {quantity(low, unit)}"
    return f"{number(low)} {DASH} {quantity(high, unit)}"


def duration(length: timedelta) -> str:
    """The two largest units of a length of time; whole minutes from ten of them on.

    >>> duration(timedelta(seconds=95)), duration(timedelta(days=3, minutes=5))
    ('1 min 35 s', '3 d')
    >>> duration(timedelta(minutes=49, seconds=59))
    '50 min'
    >>> duration(timedelta(0)), duration(timedelta(hours=-2))
    ('0 s', '−2 h')
    """
    seconds = round(abs(length.total_seconds()))
    if seconds >= 600:
        seconds = round(seconds / 60) * 60
    index = next((i for i, (_, size) in enumerate(_STEPS) if seconds >= size), len(_STEPS) - 1)
    name, size = _STEPS[index]
    whole, rest = divmod(seconds, size)
    text = f"{whole} {name}"
    if index + 1 < len(_STEPS):
        smaller_name, smaller = _STEPS[index + 1]
        text += f" {rest // smaller} {smaller_name}" if rest >= smaller else ""
    return MINUS + text if length < timedelta(0) else text


def age(then: datetime, now: datetime) -> str:
    """How long ago, in one unit.

    >>> noon = datetime(2026, 3, 1, 12)
    >>> age(noon - timedelta(minutes=95), noon), age(noon + timedelta(hours=2), noon)
    ('1 h ago', 'in 2 h')
    >>> age(noon, noon)
    'just now'
    """
    seconds = abs(now - then).total_seconds()
    for name, size in _STEPS:
        if seconds >= size:
            text = f"{int(seconds // size)} {name}"
            return f"{text} ago" if then <= now else f"in {text}"
    return "just now"


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that IANA name; UTC for an unknown name: a page must render."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def local(time: datetime, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """A time on the clock of a site, with the zone's abbreviation.

    >>> from datetime import UTC
    >>> local(datetime(2026, 7, 1, 12, 5, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    '1 Jul 2026 14:05 CEST'
    """
    there = time.astimezone(zone)
    clock = there.strftime("%H:%M:%S" if seconds else "%H:%M")
    return f"{there.day} {there.strftime('%b %Y')} {clock} {there.tzname()}"


def shortened(text: str, limit: int = 40) -> str:
    """A long id with its middle left out: ids tend to differ at both ends.

    >>> shortened("plant-7/hall-2/line-4/press-11/bearing-drive-end/vib", 24)
    'plant-7/hall…ive-end/vib'
    """
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail]}…{text[-tail:]}"

"""Scales and ticks of charts. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from sensors.series import FloatArray, TimeArray, to_datetime, to_datetime64

_TIME_STEPS = tuple(
    timedelta(seconds=s)
    for s in (
        *(1, 2, 5, 10, 15, 30),
        *(60 * m for m in (1, 2, 5, 10, 15, 30)),
        *(3600 * h for h in (1, 2, 3, 6, 12)),
        *(86400 * d for d in (1, 2, 7, 14, 30, 90, 365)),
    )
)
_EPOCH = datetime(1970, 1, 5)  # noqa: DTZ001  a Monday on the local clock, so weeks start there


@dataclass(frozen=True, slots=True)
class Frame:
    """The drawing area in pixels and what it shows: times first..last, values low..high."""

    left: float
    right: float
    top: float
    bottom: float
    first: np.datetime64
    last: np.datetime64
    low: float
    high: float

    def x(self, times: TimeArray) -> FloatArray:
        """Pixels from the left for times of shape (n,)."""
        whole = (self.last - self.first) / np.timedelta64(1, "us") or 1.0
        share = (times - self.first) / np.timedelta64(1, "us") / whole
        return self.left + share * (self.right - self.left)

    def y(self, values: FloatArray) -> FloatArray:
        """Pixels from the top for values of shape (n,); up is more."""
        share = (values - self.low) / ((self.high - self.low) or 1.0)
        return self.bottom - share * (self.bottom - self.top)


def padded(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    """A range with some air; a flat one is opened so that its line runs through the middle.

    >>> padded(0.0, 100.0), padded(5.0, 5.0)
    ((-6.0, 106.0), (4.75, 5.25))
    """
    if high == low:
        room = abs(low) * 0.05 or 1.0
        return low - room, high + room
    room = (high - low) * share
    return low - room, high + room


def value_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round values within low..high, a step of 1, 2 or 5 times a power of ten apart.

    >>> value_ticks(26.9, 83.2)
    [30.0, 40.0, 50.0, 60.0, 70.0, 80.0]
    """
    rough = (high - low) / max(about, 1)
    if not math.isfinite(rough) or rough <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(k * step, 12 - math.floor(math.log10(step))) for k in range(first, last + 1)]


def time_ticks(
    first: np.datetime64, last: np.datetime64, zone: ZoneInfo, most: int = 8
) -> list[tuple[np.datetime64, str]]:
    """Round moments of the local clock within first..last, each with its label.

    >>> start = np.datetime64("2026-01-02T03:50:00", "us")
    >>> [label for _, label in time_ticks(start, start + np.timedelta64(40, "m"), ZoneInfo("UTC"))]
    ['2 Jan 03:50', '03:55', '04:00', '04:05', '04:10', '04:15', '04:20', '04:25', '04:30']
    """
    begin, end = to_datetime(first), to_datetime(last)
    step = next((s for s in _TIME_STEPS if (end - begin) / s <= most), _TIME_STEPS[-1])
    clock = begin.astimezone(zone).replace(tzinfo=None)
    clock = _EPOCH + math.ceil((clock - _EPOCH) / step) * step
    ticks: list[tuple[np.datetime64, str]] = []
    day = None
    while (moment := clock.replace(tzinfo=zone).astimezone(UTC)) <= end:
        ticks.append((to_datetime64(moment), _label(clock, step, new_day=clock.date() != day)))
        day = clock.date()
        clock += step
    return ticks


def _label(clock: datetime, step: timedelta, *, new_day: bool) -> str:
    date = f"{clock.day} {clock:%b}"
    if step >= timedelta(days=1):
        return f"{date} {clock:%Y}" if step >= timedelta(days=90) else date
    time = f"{clock:%H:%M:%S}" if step < timedelta(minutes=1) else f"{clock:%H:%M}"
    return f"{date} {time}" if new_day else time

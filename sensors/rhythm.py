"""When a sensor speaks and how much it wavers, from its newest readings. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sensors.series import FloatArray, TimeArray

# Readings that are looked at: enough for a habit, few enough to follow a change of it.
WINDOW = 257
# An interval this many times the usual one is a gap.
GAP_FACTOR = 2.5
# A pause is a habit when it was reached this often.
HABIT = 3
# A step between two readings scatters by √2 of the noise; its median by 0.6745 of that.
_STEP_TO_NOISE = 1 / (0.6745 * np.sqrt(2))


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds, but for the counts.

    readings: how many were looked at. interval_s: median seconds between two; spread_s: median
    absolute deviation of them. pause_s: an interval that was reached three times, so it is a habit;
    longest_s: the longest one. gaps: intervals longer than 2.5 usual ones; gap_s: their median
    length, None without any. span_s: from the first reading to the last.
    """

    readings: int
    interval_s: float
    spread_s: float
    pause_s: float
    longest_s: float
    gaps: int
    gap_s: float | None
    span_s: float

    @property
    def gaps_per_day(self) -> float:
        return self.gaps / self.span_s * 86_400


def rhythm_of(times: TimeArray) -> Rhythm | None:
    """The rhythm of readings at `times`, shape (n,), strictly increasing; None below two.

    >>> minutes = np.datetime64("2026-01-01", "us") + np.r_[0:9, 20, 21] * np.timedelta64(60, "s")
    >>> found = rhythm_of(minutes)
    >>> found.interval_s, found.longest_s, found.gaps, found.gap_s
    (60.0, 720.0, 1, 720.0)
    """
    if len(times) < 2:
        return None
    intervals = np.diff(times) / np.timedelta64(1, "s")
    usual = float(np.median(intervals))
    gaps = intervals[intervals > GAP_FACTOR * usual]
    return Rhythm(
        readings=len(times),
        interval_s=usual,
        spread_s=float(np.median(np.abs(intervals - usual))),
        pause_s=float(np.sort(intervals)[-min(HABIT, len(intervals))]),
        longest_s=float(intervals.max()),
        gaps=len(gaps),
        gap_s=float(np.median(gaps)) if len(gaps) else None,
        span_s=float(intervals.sum()),
    )


def noise_of(values: FloatArray) -> float | None:
    """Standard deviation of the noise in the values' unit; None below three values.

    From the median step between successive values, so a few spikes and slow movements of the
    process do not count: von Neumann's difference estimate in its robust form. A sensor whose
    values mostly repeat has none that can be seen: 0.

    >>> rng = np.random.default_rng(1)
    >>> drifting = np.linspace(0, 50, 5000) + rng.normal(0, 2.0, 5000)
    >>> round(noise_of(drifting), 1)
    2.0
    """
    if len(values) < 3:
        return None
    return float(np.median(np.abs(np.diff(values))) * _STEP_TO_NOISE)

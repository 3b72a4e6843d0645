"""How far a reading can be trusted, 0 to 1: a weighted mean of what is known about it. Pure.

    completeness 0.20   the unit agrees with the sensor's
    range        0.20   within the physical limits; within what the sensor has shown so far
    freshness    0.05   how long it was under way, in expected intervals
    reported     0.55   what the device itself says

A term that nothing is known about (no reported quality, no interval yet, backfill) is left out and
the others share its weight. So a value outside the physical limits comes to about 0.5 and is kept,
for an instrument fault is to be detected and not hidden; with a wrong unit on top it comes to less
than 0.2. A device that says 0 comes to less than 0.5 whatever else is right.

`intrinsic` leaves out what depends on when a reading arrived (freshness, what was shown so far).
Acceptance is decided on it, so the same readings are accepted in whatever order they come.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from sensors.series import FloatArray

COMPLETENESS, RANGE, FRESHNESS, REPORTED = 0.20, 0.20, 0.05, 0.55

# Range of a value within the physical limits that the sensor has not come near before.
UNUSUAL_RANGE = 0.7
# Fresh up to this many expected intervals, stale from that many on, linear between.
FRESH_INTERVALS, STALE_INTERVALS = 2.0, 20.0
# Times have microseconds; a stated interval below one is none.
SHORTEST_INTERVAL_S = 1e-6
REPORTED_LOW = 0.5


class Flag(IntFlag):
    """Why the quality is below 1. Stored as bits in Reading.flags (int2)."""

    UNIT_MISMATCH = 1
    NOT_PHYSICAL = 2
    UNUSUAL = 4
    STALE = 8
    REPORTED_LOW = 16
    BACKFILL = 32


REASONS = {
    Flag.UNIT_MISMATCH: "its unit is not the sensor's",
    Flag.NOT_PHYSICAL: "outside the physical limits",
    Flag.UNUSUAL: "far from all that the sensor has shown so far",
    Flag.STALE: "arrived late",
    Flag.REPORTED_LOW: "the device reports low quality",
    Flag.BACKFILL: "older than a day when it arrived",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about n readings of k sensors; NaN where unknown.

    Of a reading, shape (n,): its value, its sensor's place, how old it is in seconds, what its
    device reports, 0 to 1. Of a sensor, shape (k,): limits, in the unit of its values; seconds
    between its readings.
    """

    values: FloatArray
    sensor: NDArray[np.int64]
    has_wrong_unit: NDArray[np.bool_]
    age_s: FloatArray
    reported: FloatArray
    is_backfill: NDArray[np.bool_]
    physical_min: FloatArray
    physical_max: FloatArray
    shown_min: FloatArray
    shown_max: FloatArray
    interval_s: FloatArray


@dataclass(frozen=True, slots=True)
class Quality:
    """Arrays of shape (n,): score and intrinsic in 0..1, flags as bits of Flag (int16)."""

    score: FloatArray
    intrinsic: FloatArray
    flags: NDArray[np.int16]


def judge(seen: Evidence) -> Quality:
    """The quality of each reading. Comparisons with NaN limits are false: unknown is no fault."""
    n = len(seen.values)
    judged = Quality(np.ones(n), np.ones(n), _bits(seen.is_backfill, Flag.BACKFILL))
    if not _are_beyond_doubt(seen):
        _judge_doubtful(seen, into=judged)
    return judged


def _are_beyond_doubt(seen: Evidence) -> bool:
    """Whether nothing speaks against any of the readings, as is mostly so."""
    far_low, far_high = _far(seen.shown_min, seen.shown_max)
    low, high = np.fmax(seen.physical_min, far_low), np.fmin(seen.physical_max, far_high)
    fresh_s = FRESH_INTERVALS * np.maximum(seen.interval_s, SHORTEST_INTERVAL_S)
    is_off = (seen.values < low[seen.sensor]) | (seen.values > high[seen.sensor])
    is_old = (seen.age_s > fresh_s[seen.sensor]) & ~seen.is_backfill
    is_poor = seen.has_wrong_unit | (seen.reported < 1)
    return not (is_off | is_old | is_poor).any()


def _judge_doubtful(seen: Evidence, *, into: Quality) -> None:
    low, high = seen.physical_min[seen.sensor], seen.physical_max[seen.sensor]
    is_outside = (seen.values < low) | (seen.values > high)
    low, high = (limit[seen.sensor] for limit in _far(seen.shown_min, seen.shown_max))
    is_unusual = ((seen.values < low) | (seen.values > high)) & ~is_outside
    freshness = _freshness(seen)
    complete = np.where(seen.has_wrong_unit, 0.0, 1.0)
    physical = np.where(is_outside, 0.0, 1.0)
    usual = np.where(is_unusual, UNUSUAL_RANGE, physical)
    whole, reported = (COMPLETENESS, complete), (REPORTED, seen.reported)
    into.score[:] = _mean_of_known(whole, (RANGE, usual), (FRESHNESS, freshness), reported)
    into.intrinsic[:] = _mean_of_known(whole, (RANGE, physical), reported)
    into.flags[:] |= (
        _bits(seen.has_wrong_unit, Flag.UNIT_MISMATCH)
        | _bits(is_outside, Flag.NOT_PHYSICAL)
        | _bits(is_unusual, Flag.UNUSUAL)
        | _bits(freshness < 0.5, Flag.STALE)
        | _bits(seen.reported < REPORTED_LOW, Flag.REPORTED_LOW)
    )


def reasons(flags: int) -> list[str]:
    """The flags in words.

    >>> reasons(Flag.STALE | Flag.NOT_PHYSICAL)
    ['outside the physical limits', 'arrived late']
    """
    return [reason for flag, reason in REASONS.items() if flags & flag]


def names(flags: int) -> list[str]:
    """The flags by name.

    >>> names(Flag.STALE | Flag.NOT_PHYSICAL)
    ['not_physical', 'stale']
    """
    return [str(flag.name).lower() for flag in Flag if flags & flag]


def _mean_of_known(*terms: tuple[float, FloatArray]) -> FloatArray:
    total = np.zeros_like(terms[0][1])
    weights = np.zeros_like(total)
    for weight, term in terms:
        is_known = ~np.isnan(term)
        total += np.where(is_known, term, 0.0) * weight
        weights += is_known * weight
    mean: FloatArray = total / weights
    return mean


def _far(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Half a width outside the range shown so far: what lies beyond is far."""
    margin = (high - low) / 2
    return low - margin, high + margin


def _freshness(seen: Evidence) -> FloatArray:
    intervals = seen.age_s / np.maximum(seen.interval_s, SHORTEST_INTERVAL_S)[seen.sensor]
    fresh = (STALE_INTERVALS - intervals) / (STALE_INTERVALS - FRESH_INTERVALS)
    return np.where(seen.is_backfill, np.nan, np.clip(fresh, 0.0, 1.0))


def _bits(rows: NDArray[np.bool_], flag: Flag) -> NDArray[np.int16]:
    return rows.astype(np.int16) * np.int16(flag)

"""What a reading looks like next to its sensor's own past, as a row of features. Pure.

Each feature is in units of the sensor's own robust baseline and 0 means "as usual", so one model
serves every sensor of a kind. Row i is a function of the readings i - CONTEXT_ROWS + 1 .. i and of
nothing else, to the bit: every statistic is an order statistic, a count, or a sum in a fixed order
over a window that ends at its row, so it makes no difference how the rows are batched.

The baseline leaves out the newest RECENT_ROWS readings: a fault that goes on does not hide itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mlops.seasons import RESIDUAL_ROWS, season_of
from mlops.windows import (
    CONTEXT_ROWS,
    RECENT_ROWS,
    SHORT_ROWS,
    TO_SD,
    Context,
    IntArray,
    median_of,
    middle_of,
    trailing,
)
from sensors.series import FloatArray, TimeArray

__all__ = [
    "CLIP",
    "CONTEXT_ROWS",
    "FEATURES",
    "INSTRUMENT",
    "MIN_ROWS",
    "NOTABLE",
    "RECENT_ROWS",
    "SHORT_ROWS",
    "compute",
    "expected",
    "features_hash",
    "nature",
    "of_instrument",
]

FEATURES: tuple[str, ...] = (
    "z",  # value against the baseline's median, in baseline spreads
    "level",  # median of the last SHORT_ROWS against it
    "novelty",  # distance to the nearest value of the baseline, in noise units
    "spike",  # value against the median of the few before it, in noise units
    "spread",  # log2 of how far readings jump lately against usually
    "slope",  # change of the short level over SHORT_ROWS, against the largest usual such changes
    "season",  # value against the same time on the days before, in units of that residual
    "season_level",  # the median of the last SHORT_ROWS of those residuals
    "flat",  # log2 of the run of identical values against the longest run of the baseline
    "gap",  # log2 of the time since the reading before against twice the usual: one may be lost
    "rhythm",  # share of recent intervals that are no whole multiple of the usual one
)

# The value of each at which a sensor's own history alone makes an engineer look. Robust units have
# heavier tails than the normal law, and a daily cycle is wider than its own median deviation.
NOTABLE: dict[str, float] = {
    "z": 5.0,
    "level": 4.0,
    "novelty": 4.5,
    "spike": 9.0,
    "spread": 1.7,
    "slope": 4.0,
    "season": 7.0,
    "season_level": 3.0,
    "flat": 2.8,
    "gap": 1.5,
    "rhythm": 0.5,
}

# These speak of the sensor, not of the machine: it is stuck, silent, or its clock is off.
INSTRUMENT = frozenset({"flat", "gap", "rhythm"})

MIN_ROWS = 48
CLIP = 100.0

_BASELINE_ROWS = CONTEXT_ROWS - 1 - RECENT_ROWS
_BEFORE_ROWS = 5  # what a spike stands out from
_STEP_ROWS = 6  # the two short levels whose difference is the slope
_RUN_CAP = 64
_CHUNK_ROWS = 1024


def features_hash() -> str:
    """What is logged with a model, next to the names, to tell versions of this module apart."""
    stated = (*(f"{name} {NOTABLE[name]}" for name in FEATURES), str(CONTEXT_ROWS))
    return sha256("\n".join(stated).encode()).hexdigest()[:16]


def nature(contributions: FloatArray) -> Literal["instrument", "machine"]:
    """Which of the two an alarm with these shares, shape (len(FEATURES),), speaks of.

    >>> nature(np.eye(len(FEATURES))[FEATURES.index("flat")])
    'instrument'
    """
    return "instrument" if of_instrument(contributions[np.newaxis])[0] else "machine"


def of_instrument(contributions: FloatArray) -> NDArray[np.bool_]:
    """Which rows of shares, shape (n, len(FEATURES)), speak of the instrument: shape (n,)."""
    total = np.zeros(len(contributions))
    for name in sorted(INSTRUMENT):
        total += contributions[:, FEATURES.index(name)]
    return np.asarray(total > 0.5)


def compute(times: TimeArray, values: FloatArray, first: int = 0) -> FloatArray:
    """Features of the rows first.. of one sensor.

    times: shape (n,), datetime64[us] in UTC, never decreasing; values: shape (n,), in the sensor's
    unit, finite. Returns shape (n - first, len(FEATURES)), unitless, finite, within ±CLIP; rows
    before MIN_ROWS are 0. ValueError for a value that is not finite or a time that goes back.

    >>> times = np.datetime64("2026-01-01", "us") + np.arange(100) * np.timedelta64(10, "m")
    >>> calm = np.sin(np.arange(100.0))
    >>> spiked = np.where(np.arange(100) == 99, 25.0, calm)
    >>> float(compute(times, spiked, first=99)[0, FEATURES.index("spike")]) > 10
    True
    """
    _check(times, values)
    starts = range(first, len(values), _CHUNK_ROWS)
    parts = [_rows(times, values, a, min(a + _CHUNK_ROWS, len(values))) for a in starts]
    return np.concatenate(parts) if parts else np.zeros((0, len(FEATURES)))


def expected(times: TimeArray, values: FloatArray, row: int) -> tuple[float, float]:
    """The band, in the sensor's unit, in which the reading `row` would have been usual.

    Around the same time on the days before where they are known, else around the baseline; four
    spreads to each side. Without any past the band is the value itself.
    """
    past = slice(max(0, row - CONTEXT_ROWS + 1), row + 1)
    context = Context.of(times[past], values[past], min(row, CONTEXT_ROWS - 1), None)
    base, season = _baseline(context), season_of(context)
    if base.rows[0] == 0:
        return float(values[row]), float(values[row])
    seasonal = bool(season.known[0])
    middle = season.centre[0] if seasonal else base.median[0]
    reach = 4.0 * (season.scale[0] if seasonal else base.scale[0])
    return float(middle - reach), float(middle + reach)


def _check(times: TimeArray, values: FloatArray) -> None:
    if times.shape != values.shape or values.ndim != 1:
        raise ValueError(f"times {times.shape} and values {values.shape} are not columns alike")
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite")
    if (times[1:] < times[:-1]).any():
        raise ValueError("times go back; order the readings by time")


def _rows(times: TimeArray, values: FloatArray, first: int, stop: int) -> FloatArray:
    """Features of the rows first..stop-1, from just the rows they may know."""
    start = max(0, first - CONTEXT_ROWS + 1)
    context = Context.of(times[start:stop], values[start:stop], first - start, stop - start)
    base, season = _baseline(context), season_of(context)
    flat, gap, rhythm = _flat(context), *_clock(context)
    columns = (*_level_and_shape(context, base), season.now, season.level, flat, gap, rhythm)
    found = np.clip(np.stack(columns, axis=1), -CLIP, CLIP)
    found[context.seen < MIN_ROWS] = 0.0
    return found


@dataclass(frozen=True, slots=True)
class _Baseline:
    """Shape (m,) each; median and scale (spread), noise (of one reading) in the sensor's unit."""

    rows: IntArray
    median: FloatArray
    scale: FloatArray
    noise: FloatArray
    step: FloatArray
    nearest: FloatArray


def _baseline(context: Context) -> _Baseline:
    m = len(context)
    windows = trailing(context.values, m, _BASELINE_ROWS, RECENT_ROWS)
    rows = np.clip(context.seen - RECENT_ROWS, 0, _BASELINE_ROWS)
    median = median_of(windows, rows)
    spread = TO_SD * median_of(np.abs(windows - median[:, None]), rows)
    step, smallest = _usual_step(context)
    noise = np.maximum(TO_SD / np.sqrt(2) * step, smallest / 2)
    # A sensor that never moves: a thousandth of its value is a change worth a noise unit.
    noise = np.maximum(noise, np.where(noise > 0, 0.02 * spread, 1e-3 * np.abs(median) + 1e-9))
    nearest = np.abs(windows - context.now[:, None]).min(axis=1)
    nearest[rows == 0] = 0.0
    return _Baseline(rows, median, np.maximum(spread, noise), noise, step, nearest)


def _usual_step(context: Context) -> tuple[FloatArray, FloatArray]:
    """Median of the baseline's steps, and its smallest step that is one (the resolution)."""
    m = len(context)
    ordered = np.sort(trailing(context.steps(), m, _BASELINE_ROWS, RECENT_ROWS), axis=1)
    counts = np.clip(context.seen - 1 - RECENT_ROWS, 0, _BASELINE_ROWS)
    zeros = np.minimum((ordered == 0).sum(axis=1), _BASELINE_ROWS - 1)
    smallest = ordered[np.arange(m), zeros]
    return middle_of(ordered, counts), np.where(np.isfinite(smallest), smallest, 0.0)


def _level_and_shape(context: Context, base: _Baseline) -> tuple[FloatArray, ...]:
    """z, level, novelty, spike, spread, slope. Little history speaks quietly."""
    m = len(context)
    weight = base.rows / (base.rows + RECENT_ROWS)
    short = _short_median(context.values, context.seen, m, SHORT_ROWS)
    before = _short_median(context.values, context.seen - 1, m, _BEFORE_ROWS, skip=1)
    lately = _short_median(context.steps(), context.seen - 1, m, SHORT_ROWS)
    return (
        weight * (context.now - base.median) / base.scale,
        weight * (short - base.median) / base.scale,
        weight * base.nearest / base.noise,
        weight * (context.now - before) / base.noise,
        weight * np.log2(_floored(lately, base) / _floored(base.step, base)),
        weight * _slope(context, base),
    )


def _slope(context: Context, base: _Baseline) -> FloatArray:
    """A sensor that steps up and down every day has a large usual change; exact to the context."""
    m = len(context)
    rows = CONTEXT_ROWS - SHORT_ROWS - _STEP_ROWS - RECENT_ROWS
    change = np.full(len(context.values), np.inf)
    filled = np.where(context.known, context.values, 0.0)
    levels = np.median(sliding_window_view(filled, _STEP_ROWS), axis=1)
    reach = SHORT_ROWS + _STEP_ROWS - 1
    change[reach:] = levels[SHORT_ROWS:] - levels[:-SHORT_ROWS]
    change[reach:][~context.known[: len(change) - reach]] = np.inf
    counts = np.clip(context.seen - reach - RECENT_ROWS, 0, rows)
    ordered = np.sort(trailing(np.abs(change), m, rows, RECENT_ROWS), axis=1)
    usual = ordered[np.arange(m), (counts * 19) // 20 - (counts > 0)]
    usual = np.where(np.isfinite(usual) & (counts > 0), usual, 0.0)
    now = np.where(np.isfinite(change[-m:]), change[-m:], 0.0)
    return np.asarray(now / np.maximum(usual, base.noise))


def _floored(step: FloatArray, base: _Baseline) -> FloatArray:
    """A step as it counts for the spread: a stuck sensor is told by `flat`, not by -inf."""
    return step + 0.25 * base.noise


def _short_median(
    column: FloatArray, seen: IntArray, m: int, rows: int, skip: int = 0
) -> FloatArray:
    return median_of(trailing(column, m, rows, skip), np.clip(seen, 0, rows))


def _flat(context: Context) -> FloatArray:
    """log2 of the run of identical values against the longest one before it; a pair is no run."""
    m = len(context)
    run = np.ones(len(context.values), dtype=np.int64)
    same = np.zeros(len(run), dtype=bool)
    same[1:] = (context.values[1:] == context.values[:-1]) & context.known[:-1]
    alive = same.copy()
    for back in range(1, _RUN_CAP):
        run += alive
        alive[back:] &= same[: len(same) - back]
        alive[:back] = False
    rows = CONTEXT_ROWS - _RUN_CAP
    runs = np.where(context.known, run, 1)
    windows = trailing(runs, m, rows)
    now = run[-m:]
    before = np.arange(rows)[None, :] < (rows - now)[:, None]
    usual = np.where(before, windows, 1).max(axis=1)
    whole = now >= np.minimum(context.seen, _RUN_CAP)
    return np.where((now < 3) | whole, 0.0, np.maximum(np.log2(now / usual), 0.0))


def _clock(context: Context) -> tuple[FloatArray, FloatArray]:
    """gap and rhythm. A missing reading lengthens a gap to a whole multiple: that is no clock."""
    m = len(context)
    interval = np.full(len(context.times), np.inf)
    pair = context.known[1:] & context.known[:-1]
    interval[1:][pair] = np.diff(context.times)[pair]
    counts = np.clip(context.seen - 1 - RECENT_ROWS, 0, _BASELINE_ROWS)
    usual = np.maximum(median_of(trailing(interval, m, _BASELINE_ROWS, RECENT_ROWS), counts), 1.0)
    recent = np.where(np.isfinite(interval), interval, 0.0)
    off = _share_off(trailing(recent, m, SHORT_ROWS), usual)
    usually = _share_off(trailing(recent, m, RESIDUAL_ROWS, RECENT_ROWS), usual)
    gap = np.log2(np.maximum(recent[-m:], 1.0) / usual) - 1.0
    return np.where(gap > 0, gap, 0.0), np.maximum(off - usually, 0.0)


def _share_off(intervals: FloatArray, usual: FloatArray) -> FloatArray:
    ratio = intervals / usual[:, None]
    off = (np.abs(ratio - np.round(ratio)) > 0.2) | ((ratio < 0.5) & (intervals > 0))
    return np.asarray(off.sum(axis=1) / intervals.shape[1])

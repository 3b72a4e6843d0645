"""A reading next to the same time on the days before. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.windows import (
    CONTEXT_ROWS,
    RECENT_ROWS,
    SHORT_ROWS,
    TO_SD,
    Context,
    flagged,
    median_of,
    trailing,
)
from sensors.series import FloatArray

_REACH = 448  # rows a residual may look back: three days at ten minutes, and some more
RESIDUAL_ROWS = CONTEXT_ROWS - _REACH - RECENT_ROWS
_LEAST = 24
_DAY_US = 86_400_000_000
_TOLERANCE_US = _DAY_US // 48
_OFFSETS = np.arange(-3, 3)


@dataclass(frozen=True, slots=True)
class Season:
    """Shape (m,) each: what the days before say of a row. centre and scale in the unit."""

    known: NDArray[np.bool_]
    centre: FloatArray
    scale: FloatArray
    now: FloatArray
    level: FloatArray


def season_of(context: Context) -> Season:
    m = len(context)
    centre, usable = _same_time_before(context)
    residual = np.full(len(context.values), np.inf)
    residual[usable] = context.values[usable] - centre[usable]
    counts = flagged(usable, m, RESIDUAL_ROWS, RECENT_ROWS)
    spread = median_of(np.abs(trailing(residual, m, RESIDUAL_ROWS, RECENT_ROWS)), counts)
    floor = 1e-3 * np.abs(centre[-m:]) + 1e-9
    scale = np.maximum(TO_SD * spread, np.where(spread > 0, 0.0, floor))
    lately = flagged(usable, m, SHORT_ROWS)
    known = usable[-m:] & (counts >= _LEAST)
    now = np.where(known, residual[-m:], 0.0) / scale
    level = median_of(trailing(residual, m, SHORT_ROWS), lately) / scale
    return Season(known, centre[-m:], scale, now, np.where(known & (lately > 1), level, 0.0))


def _same_time_before(context: Context) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Median of the values within half an hour of this time one, two and three days earlier.

    Both of the context's length; the second says where any such value is known.
    """
    n = len(context.times)
    rows = np.arange(n)
    pool = []
    for days in (1, 2, 3):
        target = context.times - days * _DAY_US
        near = np.searchsorted(context.times, target)[:, None] + _OFFSETS
        within = np.clip(near, 0, n - 1)
        usable = (near > rows[:, None] - _REACH) & (near >= 0) & (near < rows[:, None])
        usable &= context.known[within] & context.known[:, None]
        usable &= np.abs(context.times[within] - target[:, None]) <= _TOLERANCE_US
        pool.append(np.where(usable, context.values[within], np.inf))
    values = np.concatenate(pool, axis=1)
    counts = np.isfinite(values).sum(axis=1)
    return median_of(values, counts), counts > 0

"""Two sensors that measure one thing: whether they do, and how far apart they are now. Pure."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sensors.series import FloatArray, TimeArray

APART = 4.0  # usual differences from which two twins disagree
LEAST_ROWS = 96
_AGREEMENT = 2.5  # noises that the difference of two twins may have
_VARIED = 1.4  # a sensor that hardly varies agrees with every other one: that proves nothing
_FEW_ROWS = 5
_TO_SD = 1.4826


def noise_of(values: FloatArray) -> float:
    """Standard deviation of the noise of one reading, from the steps between readings."""
    if len(values) < 2:
        return 0.0
    return float(_TO_SD / np.sqrt(2) * np.median(np.abs(np.diff(values)))) or 1e-9


def apart(
    times: TimeArray,
    values: FloatArray,
    other_times: TimeArray,
    other_values: FloatArray,
    *,
    reference: int,
    rows: slice,
) -> float | None:
    """How far a sensor is at most from its twin within `rows`, in their usual differences, by
    medians of a few readings; None if the two were no twins in the rows before `reference`, or too
    little is known of both.

    >>> hours = np.arange(300); times = np.datetime64(0, "us") + hours * np.timedelta64(1, "h")
    >>> rng = np.random.default_rng(1)
    >>> truth = np.sin(hours / 4)
    >>> one, two = truth + rng.normal(0, .05, 300), 3 + 2 * truth + rng.normal(0, .1, 300)
    >>> one[250:] += 1
    >>> apart(times, one, times, two, reference=250, rows=slice(260, 300)) > APART
    True
    """
    theirs = _at(times, other_times, other_values)
    past = np.flatnonzero(np.isfinite(theirs[:reference]))
    now = theirs[rows]
    if len(past) < LEAST_ROWS or not np.isfinite(now).any():
        return None
    slope, offset = np.polyfit(theirs[past], values[past], 1)
    difference = values - (offset + slope * theirs)
    usual = _TO_SD * float(np.median(np.abs(difference[past] - np.median(difference[past]))))
    noise = float(np.hypot(noise_of(values[past]), slope * noise_of(theirs[past])))
    if usual > _AGREEMENT * noise or float(np.std(values[past])) < _VARIED * max(usual, 1e-12):
        return None
    return _most(difference[rows]) / max(usual, 1e-12)


def _most(difference: FloatArray) -> float:
    known = difference[np.isfinite(difference)]
    few = min(_FEW_ROWS, len(known))
    return float(np.abs(np.median(sliding_window_view(known, few), axis=1)).max())


def _at(times: TimeArray, other_times: TimeArray, other_values: FloatArray) -> FloatArray:
    """The other sensor's values at these times; NaN where it has none near, before or after."""
    if len(other_times) < 2:
        return np.full(len(times), np.nan)
    own, theirs = (part.astype("datetime64[us]").astype(np.int64) for part in (times, other_times))
    found = np.interp(own, theirs, other_values)
    after = np.clip(np.searchsorted(theirs, own), 1, len(theirs) - 1)
    usual = np.median(np.diff(theirs))
    near = (theirs[after] - theirs[after - 1] <= 3 * usual) & (own >= theirs[0])
    return np.where(near & (own <= theirs[-1] + usual), found, np.nan)

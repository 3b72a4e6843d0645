"""What sensors usually do at each hour of a day. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.series import FloatArray, TimeArray

HOURS = 24
FEWEST_DAYS = 4  # on which an hour must have been seen; with fewer a day's chance is its shape

IntArray = NDArray[np.int64]


def hours_of(times: TimeArray) -> IntArray:
    """Hours since 1970 in UTC, shape (n,).

    >>> hours_of(np.array(["1970-01-02T01:59"], "datetime64[us]"))
    array([25])
    """
    return times.astype("datetime64[h]").astype(np.int64)


def season(X: FloatArray, hours: IntArray, chosen: NDArray[np.bool_]) -> FloatArray:
    """How far each sensor is from its mean at each hour of a day: shape (HOURS, k), in its unit.

    X: shape (n, k), NaN for what is missing; hours: shape (n,), since 1970; chosen: shape (n,), the
    rows to learn from. All 0 where an hour was seen on fewer than FEWEST_DAYS days.
    """
    found = np.zeros((HOURS, X.shape[1]))
    X, hours = X[chosen], hours[chosen]
    seen = np.bincount(np.unique(hours) % HOURS, minlength=HOURS)
    if seen.min() < FEWEST_DAYS:
        return found
    known, of_day = ~np.isnan(X), hours % HOURS
    for sensor in range(X.shape[1]):
        own = known[:, sensor]
        counts = np.bincount(of_day[own], minlength=HOURS)
        if counts.min() > 0:
            sums = np.bincount(of_day[own], X[own, sensor], HOURS)
            found[:, sensor] = sums / counts - X[own, sensor].mean()
    return found


def plateaus(found: FloatArray, width: FloatArray) -> FloatArray:
    """What is usual at the hours at which no sensor is on its way, shape (n, k), each level once.

    found: as `season` gives it, shape (HOURS, k); width: shape (k,), how far a sensor usually is
    from that: one that is no farther from the hours beside it stays. None where there is no season.

    >>> shifts = np.where(np.arange(24) < 8, -20.0, 10.0)[:, np.newaxis]
    >>> plateaus(shifts, np.array([1.0])).ravel()
    array([-20.,  10.])
    """
    if not found.any():
        return found[:0]
    before, after = (np.abs(found - np.roll(found, by, axis=0)) for by in (1, -1))
    stays = (np.maximum(before, after) <= width).all(axis=1)
    levels: list[FloatArray] = []
    for level in found[stays]:
        if all((np.abs(level - other) > width / 2).any() for other in levels):
            levels.append(level)
    return np.array(levels).reshape(-1, found.shape[1])

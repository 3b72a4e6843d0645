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

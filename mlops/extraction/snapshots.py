"""Snapshots of a bearing's vibration, against what it was on its own first day. Pure.

Bearings and their mountings differ more from each other than wear moves one in weeks, so each is
measured in units of its own beginning.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlops.extraction.vibration import IN_TIME
from mlops.feature_sets import FeatureSet
from sensors.series import FloatArray

WARMUP = 144  # snapshots: a day at ten minutes
SINCE_NEW = FeatureSet("vibration-since-new", tuple(f"{name}_since_new" for name in IN_TIME))
ALARM_RUN = 6  # snapshots in a row
_TO_SD = 1.4826


def since_new(in_time: FloatArray, warmup: int = WARMUP) -> FloatArray:
    """in_time: one bearing's snapshots in order, shape (n, 7), as `vibration.in_time` makes them.

    Returns shape (n, 7): robust z of each against the first `warmup` snapshots.
    """
    own = in_time[:warmup]
    centre = np.median(own, axis=0)
    width = _TO_SD * np.median(np.abs(own - centre), axis=0)
    return np.asarray((in_time - centre) / np.maximum(width, 1e-9))


def alarms(is_high: NDArray[np.bool_], run: int = ALARM_RUN) -> NDArray[np.int64]:
    """Rows at which an alarm begins: the last of the first `run` high ones in a row.

    >>> alarms(np.array([0, 1, 1, 1, 0, 1, 1], dtype=bool), run=2)
    array([2, 6])
    """
    edges = np.flatnonzero(np.diff(np.r_[False, is_high, False].astype(int)))
    begins, ends = edges[::2], edges[1::2]
    return np.asarray(begins[ends - begins >= run] + run - 1)

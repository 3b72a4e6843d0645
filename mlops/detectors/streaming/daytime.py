"""Novelty at this time of day: was a value like this one ever read about this hour? Pure.

The day is cut into half hours. A value is compared with those of its own half hour and of the two
on either side, so that a clock that is changed by an hour finds what it knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.streaming import novelty
from mlops.detectors.streaming.contract import Readings, State
from sensors.series import FloatArray
from smartmaint.lib.compiled import compiled

PARTS = 48
EITHER_SIDE = 2
CAPACITY = 64  # values kept of each part of the day
_PART_S = 86_400 / PARTS

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DaytimeNovelty:
    """Distance to the nearest past value of about this time of day (UTC), in the sensor's unit; 0
    where there is none."""

    name: str = "daytime"

    def start(self) -> State:
        return novelty.start(PARTS, CAPACITY)

    def advance(self, state: State, readings: Readings) -> FloatArray:
        part = np.minimum(readings.seconds // _PART_S, PARTS - 1).astype(np.int64)
        kept, count = state["kept"], state["count"]
        return _distances(readings.values, part, kept, count, state["resolution"], state["reach"])


@compiled
def _distances(
    values: FloatArray,
    part: IntArray,
    kept: FloatArray,
    count: IntArray,
    resolution: FloatArray,
    reach: FloatArray,
) -> FloatArray:
    found = np.zeros(len(values))
    for i in range(len(values)):
        distance = np.inf
        for side in range(-EITHER_SIDE, EITHER_SIDE + 1):
            other = (part[i] + side) % PARTS
            distance = min(distance, novelty.nearest(values[i], kept[other], count[other]))
        if distance < np.inf:
            found[i] = distance
        own = part[i]
        if novelty.nearest(values[i], kept[own], count[own]) > resolution[own]:
            novelty.keep(values[i], own, kept, count, resolution, reach)
    return found

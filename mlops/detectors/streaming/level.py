"""Level novelty: was the mean of late ever like this one? Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops.detectors.streaming import novelty, recent
from mlops.detectors.streaming.contract import Readings, State, part, prefixed
from sensors.series import FloatArray
from smartmaint.lib.compiled import compiled

ROWS = 12


@dataclass(frozen=True, slots=True)
class LevelNovelty:
    """Distance of the mean of the last `rows` readings to the nearest past one, in the sensor's
    unit; 0 until there are so many."""

    name: str = "level"
    rows: int = ROWS

    def start(self) -> State:
        past = prefixed("recent", recent.start(self.rows - 1))
        return past | prefixed("means", novelty.start())

    def advance(self, state: State, readings: Readings) -> FloatArray:
        means = _means(recent.windows(part("recent", state), readings.values))
        is_known = ~np.isnan(means)
        found = np.zeros(len(readings))
        found[is_known] = novelty.distances(part("means", state), means[is_known])
        return found


@compiled
def _means(windows: FloatArray) -> FloatArray:
    """In the order of time, so that the same window gives the same bits in any batch."""
    found = np.empty(len(windows))
    for i in range(len(windows)):
        total = 0.0
        for j in range(windows.shape[1]):
            total += windows[i, j]
        found[i] = total / windows.shape[1]
    return found

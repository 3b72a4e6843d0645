"""Shape novelty: did the values of late ever stand to each other like this? Pure.

A point is the value now and the values some readings ago. With one reading ago it sees a step that
was never made from here; with lags that double it sees a long subsequence by few of its values,
closely near its end and coarsely far from it. The distance to the nearest past point is a left
matrix profile without normalisation, thinned so that it costs the same for long subsequences.
Source: Takens (1981), delay embedding; Yeh et al. (2016), Matrix Profile I.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops.detectors.streaming import neighbours, recent
from mlops.detectors.streaming.contract import Readings, State, part, prefixed
from sensors.series import FloatArray

STEP = (0, 1)
DOUBLING = (0, 1, 3, 7, 15, 31)


@dataclass(frozen=True, slots=True)
class ShapeNovelty:
    """lags: readings ago, rising from 0. Distances are in the sensor's unit; 0 until the longest
    lag is filled."""

    name: str
    lags: tuple[int, ...]

    def start(self) -> State:
        past = prefixed("recent", recent.start(self.lags[-1]))
        return past | prefixed("points", neighbours.start(len(self.lags)))

    def advance(self, state: State, readings: Readings) -> FloatArray:
        windows = recent.windows(part("recent", state), readings.values)
        points = np.ascontiguousarray(windows[:, [self.lags[-1] - lag for lag in self.lags]])
        is_whole = ~np.isnan(points).any(axis=1)
        found = np.zeros(len(readings))
        found[is_whole] = neighbours.distances(part("points", state), points[is_whole])
        return found

"""Distance to the nearest point ever seen, in a few dimensions, with bounded memory. Pure.

As `novelty`, for points: those seen are kept, and when there is no room for another, points whose
nearest elder is closest give way to it. From then on a point nearer to a kept one than they were is
not kept itself. Points are compared one after the other, and most by their first coordinates alone:
with hundreds of points no tree is faster.
Source: leader clustering, Hartigan (1975), with the radius found from the room there is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.streaming.contract import State
from sensors.series import FloatArray
from smartmaint.lib.compiled import compiled

CAPACITY = 512  # points kept
MERGED_SHARE = 0.5  # of the points at most give way at once

IntArray = NDArray[np.int64]


def start(dimensions: int, capacity: int = CAPACITY) -> State:
    return {
        "kept": np.zeros((capacity, dimensions)),
        "count": np.zeros(1, np.int64),
        "resolution": np.zeros(1),
    }


def distances(state: State, points: FloatArray) -> FloatArray:
    """Of each point, shape (n, dimensions), to the nearest before it: the largest difference in any
    coordinate, shape (n,); 0 for the first. Moves `state`."""
    return _distances(points, state["kept"], state["count"], state["resolution"])


@compiled
def _distances(
    points: FloatArray, kept: FloatArray, count: IntArray, resolution: FloatArray
) -> FloatArray:
    found = np.zeros(len(points))
    for i in range(len(points)):
        nearest = _nearest(points[i], kept, count[0])
        if count[0] > 0:
            found[i] = nearest
        if nearest <= resolution[0]:
            continue
        kept[count[0]] = points[i]
        count[0] += 1
        if count[0] == len(kept):
            _merge(kept, count, resolution)
    return found


@compiled
def _nearest(point: FloatArray, kept: FloatArray, among: int) -> float:
    """The distance to the nearest of the first `among` kept points; inf without any."""
    nearest = np.inf
    for j in range(among):
        distance = 0.0
        for k in range(len(point)):
            distance = max(distance, abs(point[k] - kept[j, k]))
            if distance >= nearest:
                break
        nearest = min(nearest, distance)
    return nearest


@compiled
def _merge(kept: FloatArray, count: IntArray, resolution: FloatArray) -> None:
    size = count[0]
    elder = np.empty(size)
    elder[0] = np.inf
    for i in range(1, size):
        elder[i] = _nearest(kept[i], kept, i)
    width = np.sort(elder)[int(MERGED_SHARE * size)]
    left = 0
    for i in range(size):
        if elder[i] > width:
            kept[left] = kept[i]
            left += 1
    count[0] = left
    resolution[0] = width

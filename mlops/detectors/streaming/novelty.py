"""Distance to the nearest number ever seen, with bounded memory. Pure.

The numbers seen are kept in order. When there is no room for another, the closest neighbours are
merged, and from then on a number nearer to a kept one than the width of the merged gaps is not kept
itself: however long the stream, every number seen is within `reach`, the sum of those widths, of a
kept one.
Source: nearest-neighbour novelty as in Knorr & Ng (1998), kept as a covering of what was seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.streaming.compiled import compiled
from mlops.detectors.streaming.contract import State
from sensors.series import FloatArray

CAPACITY = 2048  # numbers kept
MERGED_SHARE = 0.25  # of the gaps, the narrowest, when there is no more room

IntArray = NDArray[np.int64]


def start(capacity: int = CAPACITY) -> State:
    return {
        "kept": np.zeros(capacity),
        "count": np.zeros(1, np.int64),
        "resolution": np.zeros(1),
        "reach": np.zeros(1),
    }


def distances(state: State, numbers: FloatArray) -> FloatArray:
    """Of each number to the nearest before it, shape (n,); 0 for the first. Moves `state`."""
    return _distances(numbers, state["kept"], state["count"], state["resolution"], state["reach"])


@compiled
def _distances(
    numbers: FloatArray,
    kept: FloatArray,
    count: IntArray,
    resolution: FloatArray,
    reach: FloatArray,
) -> FloatArray:
    found = np.zeros(len(numbers))
    for i in range(len(numbers)):
        number = numbers[i]
        size = count[0]
        place = np.searchsorted(kept[:size], number)
        nearest = np.inf
        if place < size:
            nearest = kept[place] - number
        if place > 0:
            nearest = min(nearest, number - kept[place - 1])
        if size > 0:
            found[i] = nearest
        if nearest <= resolution[0]:
            continue
        for j in range(size, place, -1):
            kept[j] = kept[j - 1]
        kept[place] = number
        count[0] = size + 1
        if count[0] == len(kept):
            _merge(kept, count, resolution, reach)
    return found


@compiled
def _merge(kept: FloatArray, count: IntArray, resolution: FloatArray, reach: FloatArray) -> None:
    size = count[0]
    gaps = np.sort(kept[1:size] - kept[: size - 1])
    width = gaps[int(MERGED_SHARE * len(gaps))]
    left = 1
    for j in range(1, size):
        if kept[j] - kept[left - 1] > width:
            kept[left] = kept[j]
            left += 1
    count[0] = left
    resolution[0] = width
    reach[0] += width

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

from mlops.detectors.streaming.contract import State
from sensors.series import FloatArray
from smartmaint.lib.compiled import compiled

CAPACITY = 1024  # numbers kept
MERGED_SHARE = 0.25  # of the gaps, the narrowest, when there is no more room

IntArray = NDArray[np.int64]


def start(memories: int = 1, capacity: int = CAPACITY) -> State:
    """So many memories apart from each other."""
    return {
        "kept": np.zeros((memories, capacity)),
        "count": np.zeros(memories, np.int64),
        "resolution": np.zeros(memories),
        "reach": np.zeros(memories),
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
        distance = nearest(numbers[i], kept[0], count[0])
        if distance < np.inf:
            found[i] = distance
        if distance > resolution[0]:
            keep(numbers[i], 0, kept, count, resolution, reach)
    return found


@compiled
def nearest(number: float, kept: FloatArray, size: int) -> float:
    """The distance to the nearest of the first `size` numbers, which rise; inf without any."""
    place = np.searchsorted(kept[:size], number)
    distance = np.inf
    if place < size:
        distance = kept[place] - number
    if place > 0:
        distance = min(distance, number - kept[place - 1])
    return distance


@compiled
def keep(
    number: float,
    memory: int,
    kept: FloatArray,
    count: IntArray,
    resolution: FloatArray,
    reach: FloatArray,
) -> None:
    """Put a number into a memory, which afterwards has room for another."""
    own, size = kept[memory], count[memory]
    place = np.searchsorted(own[:size], number)
    for j in range(size, place, -1):
        own[j] = own[j - 1]
    own[place] = number
    count[memory] = size + 1
    if size + 1 == len(own):
        width = _width(own)
        count[memory] = _merge(own, width)
        resolution[memory] = width
        reach[memory] += width


@compiled
def _width(numbers: FloatArray) -> float:
    gaps = np.sort(numbers[1:] - numbers[:-1])
    return gaps[int(MERGED_SHARE * len(gaps))]  # type: ignore[no-any-return]


@compiled
def _merge(numbers: FloatArray, width: float) -> int:
    """Keep numbers that are farther than `width` from the one kept before; how many there are."""
    left = 1
    for j in range(1, len(numbers)):
        if numbers[j] - numbers[left - 1] > width:
            numbers[left] = numbers[j]
            left += 1
    return left

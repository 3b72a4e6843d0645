"""How rare a distance is among all distances of its own past. Pure.

Past distances are counted in bins, 16 an octave, so that memory
does not grow; the tail probability is conformal: the share of past distances at least as large, the
new one among them. It needs no shape of a distribution and is never below one in the number seen.
Source: Laxhammar & Falkman (2010), Conformal prediction for distribution-independent anomaly
detection in streaming vessel data.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.streaming.contract import State
from sensors.series import FloatArray
from smartmaint.lib.compiled import compiled

BINS_AN_OCTAVE = 16
OCTAVES = 128  # about the first distance that is not zero, which is in their middle
BINS = BINS_AN_OCTAVE * OCTAVES  # and the lowest is that of no distance at all
_UNKNOWN = -(2**62)

IntArray = NDArray[np.int64]


def start() -> State:
    return {
        "counts": np.zeros(BINS + 1, np.int32),  # a Fenwick tree: [0] is not used
        "seen": np.zeros(1, np.int64),
        "octave": np.full(1, _UNKNOWN, np.int64),
    }


def rarities(state: State, distances: FloatArray) -> FloatArray:
    """-log10 of the tail probability of each distance, shape (n,), >= 0. Moves `state`."""
    return _rarities(distances, state["counts"], state["seen"], state["octave"])


@compiled
def _rarities(
    distances: FloatArray, counts: NDArray[np.int32], seen: IntArray, octave: IntArray
) -> FloatArray:
    found = np.zeros(len(distances))
    for i in range(len(distances)):
        place = _bin(distances[i], octave)
        below, j = 0, place - 1
        while j > 0:
            below += counts[j]
            j -= j & -j
        at_least = seen[0] - below
        found[i] = math.log10((seen[0] + 1) / (at_least + 1))
        while place < len(counts):
            counts[place] += 1
            place += place & -place
        seen[0] += 1
    return found


@compiled
def _bin(distance: float, octave: IntArray) -> int:
    """1 for no distance, then upwards to BINS."""
    if distance <= 0.0:
        return 1
    mantissa, exponent = math.frexp(distance)
    if octave[0] == _UNKNOWN:
        octave[0] = exponent - OCTAVES // 2
    within = int((mantissa - 0.5) * 2 * BINS_AN_OCTAVE)
    place: int = 2 + (exponent - octave[0]) * BINS_AN_OCTAVE + within
    return max(2, min(BINS, place))

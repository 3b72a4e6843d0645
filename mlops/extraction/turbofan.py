"""A turbofan's sensors as features relative to its own first flights. Pure.

Engines differ from each other when new by as much as wear moves them in a hundred flights; what an
engine's sensors did since it was new says how worn it is.

Source: A. Saxena et al., Damage Propagation Modeling for Aircraft Engine Run-to-Failure Simulation
(2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.feature_sets import FeatureSet
from sensors.series import FloatArray

SENSORS = 21
OWN_CYCLES = 10  # of a unit, that it is compared with
WINDOW = 10  # cycles in the trailing mean
CAP = 125.0  # cycles; before that nothing wears that could be measured

RELATIVE = FeatureSet(
    "turbofan-relative",
    (*(f"sensor_{n + 1}_since_new" for n in range(SENSORS)), "cycle"),
)


@dataclass(frozen=True, slots=True)
class Flights:
    """Units one after the other, each in order. unit, cycle: shape (n,); sensors: (n, 21)."""

    unit: NDArray[np.int64]
    cycle: NDArray[np.int64]
    sensors: FloatArray

    def last(self) -> NDArray[np.int64]:
        """The row of each unit's newest flight."""
        return np.flatnonzero(np.r_[np.diff(self.unit) != 0, True])

    def remaining(self) -> FloatArray:
        """Cycles to the end of each unit, shape (n,), where each was run until it failed."""
        last = self.last()
        flights = np.diff(np.r_[-1, last])
        return np.asarray(np.repeat(self.cycle[last], flights) - self.cycle.astype(float))


def relative(flights: Flights) -> FloatArray:
    """Shape (n, 22): the mean of 10 cycles minus that of the unit's first 10; and the cycle."""
    parts = np.split(flights.sensors, flights.last()[:-1] + 1)
    return np.column_stack([np.concatenate([_since_new(part) for part in parts]), flights.cycle])


def _since_new(sensors: FloatArray) -> FloatArray:
    """One unit. While it has fewer than OWN_CYCLES flights, against those it has."""
    totals = np.vstack([np.zeros(sensors.shape[1]), np.cumsum(sensors, axis=0)])
    rows = np.arange(1, len(sensors) + 1)
    since = np.maximum(rows - WINDOW, 0)
    recent = (totals[rows] - totals[since]) / (rows - since)[:, None]
    new = np.minimum(rows, OWN_CYCLES)
    return np.asarray(recent - totals[new] / new[:, None])

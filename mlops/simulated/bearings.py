"""Vibration of bearings that fail, with its physics. Pure.

A fault in a race or a ball is struck once each time it passes: at the fault orders of the bearing
times the shaft's speed, with 1 % of slip. Each strike rings a resonance of the housing, an
exponentially decaying sine (McFadden & Smith, 1984). An inner race's strikes are weighed by its way
through the load zone (once a turn), a ball's by its cage (0.4 of a turn). Beside it: the shaft's
own imbalance and white noise. In a life the strikes grow exponentially over its last third.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops.extraction.vibration import ORDERS
from sensors.series import FloatArray

PARTS = ("ball", "inner", "outer")
RATE_HZ = 12_000.0
RESONANCE_HZ, DECAY_PER_S = 3300.0, 900.0
CAGE_ORDER = 0.4
_SLIP = 0.01


@dataclass(frozen=True, slots=True)
class Strikes:
    """part: what is damaged; strength: of one strike, in units of the noise."""

    part: str
    strength: float


def vibration(
    samples: int, shaft_hz: float, fault: Strikes | None, rng: np.random.Generator
) -> FloatArray:
    """Shape (samples,), at RATE_HZ."""
    t = np.arange(samples) / RATE_HZ
    signal = 0.5 * np.sin(2 * np.pi * shaft_hz * t + rng.uniform(0, 6)) + rng.normal(size=samples)
    if fault is None:
        return np.asarray(signal)
    every = 1 / (ORDERS[fault.part] * shaft_hz)
    count = int(t[-1] / every) + 1
    at = np.cumsum(every * (1 + _SLIP * rng.normal(size=count)))
    weight = fault.strength * _load(fault.part, at, shaft_hz)
    train = np.zeros(samples)
    inside = at < t[-1]
    np.add.at(train, (at[inside] * RATE_HZ).astype(int), weight[inside])
    ring_t = np.arange(int(0.01 * RATE_HZ)) / RATE_HZ
    ring = np.exp(-DECAY_PER_S * ring_t) * np.sin(2 * np.pi * RESONANCE_HZ * ring_t)
    return np.asarray(signal + np.convolve(train, ring)[:samples])


def life(snapshots: int, samples: int, *, fails: bool, rng: np.random.Generator) -> FloatArray:
    """A bearing's snapshots from new to the end of the test, shape (snapshots, samples)."""
    part = PARTS[rng.integers(len(PARTS))]
    begins = int(snapshots * rng.uniform(0.6, 0.75))
    rows = []
    for row in range(snapshots):
        worn = max(row - begins, 0) / (snapshots - begins)
        fault = Strikes(part, 1.5 * float(np.expm1(3 * worn))) if fails and worn else None
        level = 1 + 0.02 * rng.normal()
        rows.append(level * vibration(samples, 33.3, fault, rng))
    return np.array(rows)


def _load(part: str, at: FloatArray, shaft_hz: float) -> FloatArray:
    order = {"outer": 0.0, "inner": 1.0, "ball": CAGE_ORDER}[part]
    return np.asarray(0.6 + 0.4 * np.cos(2 * np.pi * order * shaft_hz * at))

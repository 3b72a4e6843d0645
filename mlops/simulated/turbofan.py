"""Engines that wear until they fail, in the manner of C-MAPSS FD001. Pure.

The relation (Saxena et al., 2008): wear grows exponentially, w(t) = w0 + (e^(r t) - 1) / 100, from
an initial wear w0 that differs between engines and at a rate r of its own; an engine has failed
when its health margin 1 - w reaches 0. Sensors answer wear linearly, each with its own gain, on top
of a level that differs a little between engines, and with noise as large as the answer to half of
the whole wear. 14 sensors answer, 7 do not move at all, as in FD001.
"""

from __future__ import annotations

import numpy as np

from mlops.extraction.turbofan import SENSORS, Flights
from sensors.series import FloatArray

STILL = (0, 4, 5, 9, 15, 17, 18)
_GAINS = np.array(
    [0, 1.2, 1.1, 1.6, 0, 0, -1.5, 1.3, 0.8, 0, 1.7, -1.6, 1.3, 0.7, 1.5, 0, 1.2, 0, 0, -1.4, -1.4]
)
_LEVELS = np.linspace(20, 2400, SENSORS)


def engine(rng: np.random.Generator) -> FloatArray:
    """Sensors of one engine from new until it fails, shape (cycles, 21)."""
    initial, life = rng.uniform(0.0, 0.05), int(rng.uniform(130, 340))
    rate = np.log(1 + 100 * (1 - initial)) / life
    wear = initial + np.expm1(rate * np.arange(1, life + 1)) / 100
    level = _LEVELS + _GAINS * rng.normal(0, 0.05, SENSORS)
    noise = rng.normal(0, 0.15, (life, SENSORS)) * (_GAINS != 0)
    return np.asarray(level + wear[:, None] * _GAINS + noise)


def fleet(engines: int, rng: np.random.Generator) -> Flights:
    """Each until it failed."""
    return _flights([engine(rng) for _ in range(engines)])


def cut_off(flights: Flights, rng: np.random.Generator) -> tuple[Flights, FloatArray]:
    """Each engine stopped somewhere in its life, and the cycles it had left, shape (units,)."""
    kept, left = [], []
    for whole in np.split(flights.sensors, flights.last()[:-1] + 1):
        stop = int(rng.integers(30, len(whole)))
        kept.append(whole[:stop])
        left.append(len(whole) - stop)
    return _flights(kept), np.array(left, dtype=float)


def _flights(parts: list[FloatArray]) -> Flights:
    unit = np.repeat(np.arange(1, len(parts) + 1), [len(part) for part in parts])
    cycle = np.concatenate([np.arange(1, len(part) + 1) for part in parts])
    return Flights(unit, cycle, np.concatenate(parts))

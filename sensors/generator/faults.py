"""What can go wrong with a sensor or the machine under it, drawn onto healthy readings. Pure.

Sizes are in the sensor's own units: `noise` is the level of its noise, `spread` the standard
deviation of its healthy readings including the daily cycle. A sudden fault must stand out from the
noise, a slow one from the daily cycle. The ranges are what an engineer would want to be told of:
well outside the ordinary, not absurd.

| sort | effect | size | readings |
|---|---|---|---|
| spike | one or two readings far off | 8 to 16 noise | 1 to 2 |
| level_shift | a step to another level, later back | 7 to 12 noise | 24 to 60 |
| drift | a straight ramp away, then repaired | ends at 2.5 to 4 spread | 40 to 72 |
| growing_vibration | an oscillation that builds up | ends at 6 to 10 noise | 36 to 60 |
| variance_burst | the scatter multiplies | 4 to 7 times the noise | 18 to 36 |
| stuck_value | the last value repeats | – | 24 to 48 |
| dropout | no readings | – | 8 to 30 |
| clock_error | the clock runs 1 to 3 h ahead, then returns | 6 to 18 intervals | 12 to 36 |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.generator.physics import MILLISECOND
from sensors.series import FloatArray, TimeArray


@dataclass(frozen=True, slots=True)
class FaultSort:
    """The ranges a fault of this sort is drawn from; `unit` names what the size counts."""

    name: str
    unit: str
    size: tuple[float, float]
    readings: tuple[int, int]

    def draw(self, rng: np.random.Generator) -> tuple[float, int]:
        """A size and a number of readings."""
        low, high = self.readings
        return float(rng.uniform(*self.size)), int(rng.integers(low, high + 1))


FAULTS: dict[str, FaultSort] = {
    sort.name: sort
    for sort in (
        FaultSort("spike", "noise", (8.0, 16.0), (1, 2)),
        FaultSort("level_shift", "noise", (7.0, 12.0), (24, 60)),
        FaultSort("drift", "spread", (2.5, 4.0), (40, 72)),
        FaultSort("growing_vibration", "noise", (6.0, 10.0), (36, 60)),
        FaultSort("variance_burst", "noise", (4.0, 7.0), (18, 36)),
        FaultSort("stuck_value", "", (0.0, 0.0), (24, 48)),
        FaultSort("dropout", "", (0.0, 0.0), (8, 30)),
        FaultSort("clock_error", "interval", (6.0, 18.0), (12, 36)),
    )
}
LONGEST = max(sort.readings[1] for sort in FAULTS.values())


@dataclass(frozen=True, slots=True)
class Fault:
    """A label: `start` and `end` are the event times of the effect as it is stored."""

    sort: str
    sensor: str
    start: np.datetime64
    end: np.datetime64
    size: float


@dataclass(frozen=True, slots=True)
class Scales:
    """What sizes count in, in the sensor's unit; and the interval between readings."""

    noise: float
    spread: float
    interval: np.timedelta64


@dataclass(frozen=True, slots=True)
class Injected:
    """times and values of shape (m,), in the order the instrument sends them; a wrong clock makes
    the times go back once. `kept` (m,) are the rows that are sent at all. `start` and `end` bound
    the effect in event time."""

    times: TimeArray
    values: FloatArray
    kept: NDArray[np.int_]
    start: np.datetime64
    end: np.datetime64


def inject(
    times: TimeArray,
    values: FloatArray,
    *,
    sort: str,
    first: int,
    readings: int,
    size: float,
    scales: Scales,
    rng: np.random.Generator,
) -> Injected:
    """The readings with one fault on rows first .. first + readings - 1; all others as they are.

    A dropout removes its rows; its effect ends with the reading that breaks the silence. A clock
    error moves the times of its rows. Raises IndexError if a row before and one after do not exist.
    """
    last = first + readings - 1
    if first < 1 or last + 1 >= len(times):
        raise IndexError(f"rows {first} to {last} need a row before and after in {len(times)} rows")
    rows, kept = slice(first, last + 1), np.arange(len(times))
    if sort == "dropout":
        kept = np.delete(kept, rows)
        return Injected(times[kept], values[kept], kept, times[first], times[last + 1])
    if sort == "clock_error":
        ahead = np.timedelta64(round(size * (scales.interval / MILLISECOND)), "ms")
        moved = times.copy()
        moved[rows] += ahead
        return Injected(moved, values, kept, moved[first], moved[last])
    changed = values.copy()
    changed[rows] = _EFFECTS[sort](values[first - 1 : last + 1], size, scales, rng)
    return Injected(times, changed, kept, times[first], times[last])


def _sign(rng: np.random.Generator) -> float:
    return float(rng.choice((-1.0, 1.0)))


def _step(v: FloatArray, size: float, scales: Scales, rng: np.random.Generator) -> FloatArray:
    return v[1:] + _sign(rng) * size * scales.noise


def _ramp(v: FloatArray, size: float, scales: Scales, rng: np.random.Generator) -> FloatArray:
    n = len(v) - 1
    return v[1:] + _sign(rng) * size * scales.spread * np.arange(1, n + 1) / n


def _build_up(v: FloatArray, size: float, scales: Scales, rng: np.random.Generator) -> FloatArray:
    """A turn takes 2.2 to 5 readings; the amplitude grows e-fold twice: slow at first."""
    n = len(v) - 1
    turn = 2 * np.pi / rng.uniform(2.2, 5.0)
    amplitude = size * scales.noise * np.exp(2 * (np.arange(1, n + 1) / n - 1))
    swing: FloatArray = amplitude * np.sin(turn * np.arange(n) + rng.uniform(0, 2 * np.pi))
    return v[1:] + swing


def _scatter(v: FloatArray, size: float, scales: Scales, rng: np.random.Generator) -> FloatArray:
    return v[1:] + size * scales.noise * rng.normal(size=len(v) - 1)


def _stuck(v: FloatArray, size: float, scales: Scales, rng: np.random.Generator) -> FloatArray:  # noqa: ARG001
    return np.full(len(v) - 1, v[0])


# Each takes the value before the fault followed by the fault's own, and gives the latter anew.
_EFFECTS: dict[str, Callable[[FloatArray, float, Scales, np.random.Generator], FloatArray]] = {
    "spike": _step,
    "level_shift": _step,
    "drift": _ramp,
    "growing_vibration": _build_up,
    "variance_burst": _scatter,
    "stuck_value": _stuck,
}

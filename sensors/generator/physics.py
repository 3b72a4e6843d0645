"""How a healthy sensor reads. Pure.

A reading is

    operating point + swing · daily shape + wander + noise

* The **daily shape** is the load or the weather of 24 h, with amplitude 1: a working shift for
  vibration, demand for pressure, sun for temperature, the opposite for humidity, an evening sag for
  voltage. The day begins where the stream begins, so values depend on the seed and not on the hour.
* The **wander** is an Ornstein-Uhlenbeck process with a time constant of about a day: weather,
  batches, filters filling up. It makes yesterday an imperfect guide to today.
* The **noise** is first-order autoregressive with unit variance times the sensor's noise level; one
  reading in 250 comes from a distribution 2.5 times as wide, as real instruments do now and then.
  A vibration sensor is noisier under load.

Values are rounded to the instrument's resolution and stop at its physical limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sensors.kinds import kind_named
from sensors.series import FloatArray, TimeArray

RANGES: dict[str, tuple[float, float]] = {
    "vibration": (28.0, 82.0),  # mm/s
    "pressure": (29.0, 55.0),  # kPa
    "temperature": (11.0, 89.0),  # °C
    "humidity": (32.0, 88.0),  # %
    "voltage": (21.0, 58.0),  # V
}
RESOLUTION = {
    "vibration": 0.01,
    "pressure": 0.01,
    "temperature": 0.1,
    "humidity": 0.1,
    "voltage": 0.01,
}
DAY = np.timedelta64(1, "D")
MILLISECOND = np.timedelta64(1, "ms")
WANDER_DAYS = 1.0
TAIL_SHARE, TAIL_WIDTH = 1 / 250, 2.5
LOAD_NOISE = 0.25
MISSING_SHARE = 0.01
JITTER_SHARE = 1 / 300  # of the interval, as standard deviation; at most thrice that


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One sensor's own character; all but the correlation and the phase in the sensor's unit."""

    kind: str
    operating_point: float
    swing: float
    noise: float
    wander: float
    correlation: float
    phase: float

    @property
    def spread(self) -> float:
        """Standard deviation of healthy readings, the daily cycle included."""
        return float(np.sqrt(self.noise**2 + self.wander**2 + self.swing**2 / 2))


def draw_behaviour(kind: str, rng: np.random.Generator) -> Behaviour:
    """A sensor of the kind, such that its healthy readings stay within the kind's range.

    In parts of the range: swing 4 to 9 %, noise 0.8 to 1.6 %, wander 0.4 to 1.2 %.
    """
    low, high = RANGES[kind]
    swing, noise, wander = (high - low) * rng.uniform((0.04, 0.008, 0.004), (0.09, 0.016, 0.012))
    margin = 1.1 * swing + 3.5 * wander + 6 * noise
    return Behaviour(
        kind=kind,
        operating_point=float(rng.uniform(low + margin, high - margin)),
        swing=float(swing),
        noise=float(noise),
        wander=float(wander),
        correlation=float(rng.uniform(0.1, 0.5)),
        phase=float(rng.uniform(0, 2 * np.pi)),
    )


def normal_values(
    behaviour: Behaviour,
    times: TimeArray,
    rng: np.random.Generator,
    *,
    day_start: np.datetime64 | None = None,
) -> FloatArray:
    """Healthy readings at `times` (n,), oldest first and about evenly spaced; not yet rounded.

    day_start: when the daily cycle begins; the first of the times unless it goes on from earlier.
    """
    if not len(times):
        return np.empty(0)
    days = (times - (times[0] if day_start is None else day_start)) / DAY
    load = _SHAPES[behaviour.kind](2 * np.pi * days + behaviour.phase)
    step = (days[-1] - days[0]) / max(len(days) - 1, 1)
    wander = _autoregression(len(times), float(np.exp(-step / WANDER_DAYS)), rng)
    noise = _autoregression(len(times), behaviour.correlation, rng) * _tails(len(times), rng)
    if behaviour.kind == "vibration":
        noise = noise * (1 + LOAD_NOISE * load)
    return (
        behaviour.operating_point
        + behaviour.swing * load
        + behaviour.wander * wander
        + behaviour.noise * noise
    )


def normal(kind: str, times: TimeArray, rng: np.random.Generator) -> FloatArray:
    """Healthy readings of some sensor of the kind, as it would store them.

    >>> times = np.datetime64("2026-01-01T00:00", "us") + np.arange(3) * np.timedelta64(10, "m")
    >>> bool(np.all(np.abs(normal("pressure", times, np.random.default_rng(101)) - 42) < 13))
    True
    """
    behaviour = draw_behaviour(kind, rng)
    return as_stored(kind, normal_values(behaviour, times, rng))


def as_stored(kind: str, values: FloatArray) -> FloatArray:
    """Rounded to the instrument's resolution, within its physical limits.

    >>> as_stored("humidity", np.array([55.04, 104.0]))
    array([ 55., 100.])
    """
    limits = kind_named(kind)
    steps = round(1 / RESOLUTION[kind])
    rounded: FloatArray = np.round(values * steps) / steps
    return np.clip(rounded, limits.physical_min, limits.physical_max)


def grid(
    until: np.datetime64, n: int, interval: np.timedelta64, rng: np.random.Generator
) -> TimeArray:
    """n times, datetime64[us], one interval apart, all before `until`, with a slight jitter."""
    slots = until.astype("datetime64[us]") - interval * np.arange(n, 0, -1)
    jitter_ms = np.clip(rng.normal(size=n), -3, 3) * JITTER_SHARE * (interval / MILLISECOND)
    times: TimeArray = slots + np.round(jitter_ms).astype("timedelta64[ms]")
    return times


def _autoregression(n: int, correlation: float, rng: np.random.Generator) -> FloatArray:
    """A first-order autoregressive process of unit variance, from its stationary state on."""
    steps = rng.normal(size=n)
    steps[1:] *= np.sqrt(1 - correlation**2)
    for i in range(1, n):
        steps[i] += correlation * steps[i - 1]
    return steps


def _tails(n: int, rng: np.random.Generator) -> FloatArray:
    return np.where(rng.random(n) < TAIL_SHARE, TAIL_WIDTH, 1.0)


def _shift(angle: FloatArray) -> FloatArray:
    """Up for the working half of the day, down for the other, minutes in between."""
    return np.asarray(np.tanh(4 * np.sin(angle)))


def _demand(angle: FloatArray) -> FloatArray:
    """Two peaks a day, the evening's higher."""
    return (np.sin(angle) + 0.5 * np.sin(2 * angle + 1)) / 1.4


def _sun(angle: FloatArray) -> FloatArray:
    return np.sin(angle)


def _dew(angle: FloatArray) -> FloatArray:
    return -(np.sin(angle) + 0.2 * np.sin(2 * angle)) / 1.15


def _sag(angle: FloatArray) -> FloatArray:
    """Flat for most of the day, low for some hours."""
    return np.asarray(1 - 2 * np.exp(2 * (np.cos(angle) - 1)))


_SHAPES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "vibration": _shift,
    "pressure": _demand,
    "temperature": _sun,
    "humidity": _dew,
    "voltage": _sag,
}

"""What sensors of one kind at one site have in common, to judge one that has no history. Pure.

Each sensor of the fleet is looked at as if it were new, from several of its readings on, with what
is typical of the *others*. So the prior knows how far the first hours of a healthy sensor usually
stray, at each age, and how far the oddest of its first ROWS readings goes: that is where an alarm
begins. Nothing of it is typed in by hand.

Pooled so that a single odd sensor moves little: medians over sensors, and the upper quartile of
what each usually shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np

from mlops.detectors.base import normalised
from mlops.detectors.newcomer import FEATURES, ROWS, Typical, noise_of, see
from mlops.windows import IntArray
from sensors.series import FloatArray

NAME = "fleet"
FEWEST_SENSORS, MOST_SENSORS = 3, 48
LEAST_ROWS = 2 * ROWS  # of a sensor that others are judged by
STARTS = 8  # readings of a sensor from which on it is looked at as if it were new
_AGES = int(np.log2(ROWS)) + 2
_USUAL = 0.99  # share of the rows that are within the usual size of a feature
_POOLED = 0.75  # over sensors, of what is usual of each
# No feature is odd below: levels of sensors, noise units, a doubled scatter, a value four times.
_LEAST = np.array([1.0, 2.0, 1.0, 1.5, 0.8, 2.0])
_LEAST_APART = 0.1  # of logarithms of noises
_STILL = 1e-9
_PLACE, _SPIKE, _LEVEL, _FLAT = map(FEATURES.index, ("place", "spike", "level", "flat"))
# Quantiles and deviation of Gumbel's law of the largest of many, in its scale from its location.
_GUMBEL_50, _GUMBEL_90 = (float(-np.log(-np.log(q))) for q in (0.5, 0.9))
_GUMBEL_SD = float(np.pi / np.sqrt(6))
_TO_SD = 1.4826  # a median absolute deviation of normal noise, as a standard deviation
_LEAST_SCALE = 0.05  # of the location
# Raise it when the same prior and readings give another score than before.
REVISION = 1


@dataclass(frozen=True, slots=True)
class Prior:
    """usual: shape (ages, d), how large each feature usually is at an age at most. location, scale:
    of Gumbel's law of the largest ratio to that within the first ROWS readings of a sensor.
    interval_s: between the readings that it was made of."""

    typical: Typical
    usual: FloatArray
    location: float
    scale: float
    interval_s: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"usual": self.usual.tolist()}

    @classmethod
    def of(cls, stated: dict[str, Any]) -> Self:
        """What `as_dict` gave."""
        parts = {"typical": Typical(**stated["typical"]), "usual": np.array(stated["usual"])}
        return cls(**(stated | parts))

    def level(self, looks: FloatArray) -> FloatArray:
        """The ratio that may alarm where `looks` false alarms may come in the first ROWS readings
        of a sensor, shape (n,)."""
        return np.asarray(np.maximum(self.location - self.scale * np.log(looks), 1.0))


@dataclass(frozen=True, slots=True)
class Judged:
    """n rows of a newcomer. X: shape (n, d), the FEATURES; ratios: shape (n, d), each against its
    usual size at that age. low, high: shape (n,), in the unit, between which the row would have
    been usual by what moved most."""

    X: FloatArray
    ratios: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def largest(self) -> FloatArray:
        return np.asarray(self.ratios.max(axis=1))

    def contributions(self, row: int) -> FloatArray:
        """Share of each feature in a row's score, shape (d,), not negative; sums to 1."""
        return np.asarray(normalised(self.ratios[[row]] ** 2)[0])


def judge(values: FloatArray, first: int, prior: Prior) -> Judged:
    """Rows first.. of a sensor of which `values`, shape (n,), are all readings, in order."""
    seen, rows = see(values, first, prior.typical), np.arange(first, len(values))
    usual = prior.usual[ages(rows)]
    ratios = seen.X / usual
    jumped = ratios.argmax(axis=1) == _SPIKE if len(rows) else np.zeros(0, np.bool_)
    middle = np.where(jumped, seen.before, seen.reference)
    reach = seen.noise * np.where(jumped, usual[:, _SPIKE], usual[:, _LEVEL])
    reach = np.where(rows == 0, prior.typical.within(usual[:, _PLACE]), reach)
    return Judged(seen.X, ratios, middle - reach, middle + reach)


def placed(parts: Sequence[tuple[IntArray, Judged]], rows: int) -> Judged:
    """So many rows, of which these parts are; all others are as usual as can be."""
    X, low, high = np.zeros((rows, len(FEATURES))), np.zeros(rows), np.zeros(rows)
    ratios = X.copy()
    for at, part in parts:
        X[at], ratios[at], low[at], high[at] = part.X, part.ratios, part.low, part.high
    return Judged(X, ratios, low, high)


def nature(shares: FloatArray) -> Literal["instrument", "machine"]:
    """Which of the two an alarm with these shares, shape (len(FEATURES),), speaks of."""
    return "instrument" if shares[_FLAT] > 0.5 else "machine"


def ages(rows: IntArray) -> IntArray:
    """0 for a sensor's first reading, then one more each time its readings double.

    >>> ages(np.array([0, 1, 2, 3, 4, 499]))
    array([0, 1, 2, 2, 3, 9])
    """
    return np.asarray(np.frexp(rows.astype(float))[1], dtype=np.int64)


def is_usable(values: FloatArray) -> bool:
    """Whether a sensor with these healthy readings, (n,), can lend anything."""
    return len(values) >= LEAST_ROWS and noise_of(values) > 0


def learn(histories: Sequence[FloatArray], interval_s: float) -> Prior | None:
    """From the healthy readings of sensors, each in order; None where they are too few.

    Deterministic, and the same for any order of the sensors but for the last bits.
    """
    known = [values for values in histories if is_usable(values)]
    if len(known) < FEWEST_SENSORS:
        return None
    levels = np.array([float(np.median(values)) for values in known])
    noises = np.array([noise_of(values) for values in known])
    looks = [
        _as_if_new(values, _typical(np.delete(levels, i), np.delete(noises, i)))
        for i, values in enumerate(known)
    ]
    usual = np.stack([_usual(X) for X in looks])
    largest = np.stack(
        [_largest(X, _pooled(np.delete(usual, i, axis=0))) for i, X in enumerate(looks)]
    )
    location, scale = _gumbel(largest)
    typical = _typical(levels, noises)
    return Prior(typical, _pooled(usual), location, scale, interval_s)


def _typical(levels: FloatArray, noises: FloatArray) -> Typical:
    """Of few sensors their spread is hardly known: it is widened as a sample's is."""
    wider = 1.0 + 1.0 / len(levels)
    logs = np.log(noises)
    noise = float(np.exp(np.median(logs)))
    return Typical(
        centre=float(np.median(levels)),
        apart=max(float(np.std(levels)) * wider, noise, _STILL),
        freedom=len(levels) - 1.0,
        noise=noise,
        noise_apart=max(float(np.std(logs)) * wider, _LEAST_APART),
    )


def _as_if_new(values: FloatArray, typical: Typical) -> FloatArray:
    """Features of the first ROWS readings from each start on: (STARTS, ROWS, d)."""
    begins = np.linspace(0, len(values) - ROWS, STARTS).astype(int)
    return np.stack([see(values[begin : begin + ROWS], 0, typical).X for begin in begins])


def _usual(X: FloatArray) -> FloatArray:
    """Of one sensor: (ages, d)."""
    age = ages(np.arange(ROWS))
    return np.stack(
        [
            np.quantile(X[:, age == one].reshape(-1, X.shape[2]), _USUAL, axis=0)
            for one in range(_AGES)
        ]
    )


def _pooled(usual: FloatArray) -> FloatArray:
    """(sensors, ages, d) → (ages, d)."""
    return np.asarray(np.maximum(np.quantile(usual, _POOLED, axis=0), _LEAST))


def _largest(X: FloatArray, usual: FloatArray) -> FloatArray:
    """The largest ratio within each start: (STARTS,)."""
    return np.asarray((X / usual[ages(np.arange(ROWS))]).max(axis=(1, 2)))


def _gumbel(largest: FloatArray) -> tuple[float, float]:
    """Location and scale, from (sensors, STARTS): by how starts of a sensor differ and how sensors
    do, each by quantiles, so that one odd sensor or a fault nobody labelled moves little."""
    own = np.median(largest, axis=1)
    within = np.quantile(largest - own[:, np.newaxis], 0.9) / (_GUMBEL_90 - _GUMBEL_50)
    between = _TO_SD * np.median(np.abs(own - np.median(own))) / _GUMBEL_SD
    middle = float(np.median(own))
    wider = 1.0 + 2.0 / len(own)  # few sensors are as alike by chance
    scale = max(float(np.hypot(within, between)) * wider, _LEAST_SCALE * middle)
    return middle - _GUMBEL_50 * scale, scale

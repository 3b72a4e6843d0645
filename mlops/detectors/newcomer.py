"""What the first readings of a sensor look like next to sensors of its kind. Pure.

A sensor that is hours old has no baseline yet: its noise may still be a guess, its daily course is
unseen. What the fleet's sensors have in common stands in until the sensor's own readings say it:
each own reading that is known moves a noise from the fleet's towards the sensor's.

A row is a function of the readings up to it and of what is typical, to the bit in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops.windows import IntArray, median_of
from sensors.series import FloatArray

FEATURES: tuple[str, ...] = (
    "place",  # the value among the levels of the fleet's sensors, as a normal score
    "spike",  # the value against the median of the few before it, in noise units
    "shift",  # the last SHIFT_ROWS against as many before them
    "level",  # the last SHORT_ROWS against all that was before
    "spread",  # log2 of how far readings jump lately against what is to be expected
    "flat",  # log2 of the run of identical values
)

ROWS = 500  # readings of its own after which a sensor is no newcomer
# A sensor so many times as fast or slow as the fleet jumps otherwise from reading to reading.
OTHER_RHYTHM = 4.0
# The newest readings are no part of what they are compared with, so that a fault does not hide
# itself; a sensor that has few readings compares with half of them.
RECENT_ROWS = 24
SHORT_ROWS, SHIFT_ROWS, BEFORE_ROWS = 12, 6, 5
_LEAST_STEPS = 6  # to say how far readings jump lately
PLACE_ROWS = 24  # own readings after which the fleet's levels count half
# A median of so many steps knows a noise as well as one fleet sensor would if all were alike to
# within a factor of e: the variance of its logarithm times the number of steps.
_VARIANCE_ROWS = 2.5
_TO_NOISE = 1.4826 / np.sqrt(2)  # of the median step between readings
_FLOOR = 0.25  # of a noise unit, so that a stuck sensor is told by `flat`


@dataclass(frozen=True, slots=True)
class Typical:
    """What is known of a sensor of the fleet before its first reading.

    centre, apart: the levels of sensors and how far they lie apart, in the unit; freedom: of
    Student's t, for what few sensors say. noise: of one reading, in the unit; noise_apart: how far
    the logarithms of noises lie apart.
    """

    centre: float
    apart: float
    freedom: float
    noise: float
    noise_apart: float

    def place(self, values: FloatArray) -> FloatArray:
        """Among the levels, as normal scores without their sign; shape as given."""
        t = (values - self.centre) / self.apart
        return np.asarray(np.sqrt((self.freedom + 1) * np.log1p(t * t / self.freedom)))

    def within(self, scores: FloatArray) -> FloatArray:
        """How far from the centre, in the unit, what has these normal scores is."""
        squares = self.freedom * np.expm1(scores * scores / (self.freedom + 1))
        return np.asarray(self.apart * np.sqrt(squares))


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows of a sensor; all of shape (n,) but X (n, d), the FEATURES, not negative.

    noise: that is to be expected of one reading, in the unit. before: the median of the few
    readings before each; reference: of all those it is compared with, the fleet's centre where
    there are none.
    """

    X: FloatArray
    noise: FloatArray
    before: FloatArray
    reference: FloatArray


def see(values: FloatArray, first: int, typical: Typical) -> Seen:
    """Rows first.. of a sensor of which `values`, shape (n,), finite, are all readings, in order.

    >>> fleet = Typical(centre=50.0, apart=5.0, freedom=7.0, noise=1.0, noise_apart=0.2)
    >>> calm = 50.0 + np.sin(np.arange(30.0))
    >>> bool(see(np.append(calm, 60.0), 30, fleet).X[0, FEATURES.index("spike")] > 6)
    True
    """
    at = np.arange(first, len(values))
    if not len(at):
        return Seen(np.zeros((0, len(FEATURES))), np.zeros(0), np.zeros(0), np.zeros(0))
    steps = np.concatenate([[np.inf], np.abs(np.diff(values))])
    lag = np.minimum(RECENT_ROWS, (at + 1) // 2)
    noise = _noise(steps, at, lag, typical)
    before = _median(values, at - np.minimum(BEFORE_ROWS, at), at)
    reference = _median(values, np.zeros_like(at), at - lag)
    reference = np.where(at == lag, typical.centre, reference)
    now = values[first:]
    columns = (
        typical.place(now) * PLACE_ROWS / (PLACE_ROWS + at),
        np.where(at > 0, np.abs(now - before), 0.0) / noise,
        _shift(values, at) / noise,
        _level(values, at, lag, reference) / noise,
        _spread(steps, at, noise),
        np.log2(_runs(values)[first:]),
    )
    return Seen(np.stack(columns, axis=1), noise, before, reference)


def noise_of(values: FloatArray) -> float:
    """Of one reading, by the median step; where most steps are none, by the smallest one that is.

    values: shape (n,); 0 where they never move.
    """
    steps = np.abs(np.diff(values))
    moving = steps[steps > 0]
    if not len(moving):
        return 0.0
    return float(max(_TO_NOISE * np.median(steps), moving.min() / 2))


def _noise(steps: FloatArray, at: IntArray, lag: IntArray, typical: Typical) -> FloatArray:
    """The fleet's and the sensor's own, each weighted by how well it is known."""
    own = _TO_NOISE * _median(steps, np.ones_like(at), at - lag + 1)
    known = np.maximum(at - lag, 0) * (own > 0)
    precision = known * typical.noise_apart**2 / _VARIANCE_ROWS
    moved = np.log(np.where(own > 0, own, typical.noise) / typical.noise)
    return np.asarray(typical.noise * np.exp(moved * precision / (1.0 + precision)))


def _shift(values: FloatArray, at: IntArray) -> FloatArray:
    late = _median(values, at - SHIFT_ROWS + 1, at + 1)
    early = _median(values, at - 2 * SHIFT_ROWS + 1, at - SHIFT_ROWS + 1)
    return np.where(at >= 2 * SHIFT_ROWS - 1, np.abs(late - early), 0.0)


def _level(values: FloatArray, at: IntArray, lag: IntArray, reference: FloatArray) -> FloatArray:
    short = _median(values, at + 1 - np.minimum(SHORT_ROWS, lag), at + 1)
    return np.where(at > lag, np.abs(short - reference), 0.0)


def _spread(steps: FloatArray, at: IntArray, noise: FloatArray) -> FloatArray:
    known = np.minimum(SHORT_ROWS, at)
    lately = _TO_NOISE * _median(steps, at + 1 - known, at + 1)
    ratio = np.log2((lately + _FLOOR * noise) / ((1 + _FLOOR) * noise))
    return np.where(known >= _LEAST_STEPS, np.maximum(ratio, 0.0), 0.0)


def _runs(values: FloatArray) -> FloatArray:
    """How many identical values end at each row.

    >>> _runs(np.array([1.0, 1.0, 2.0, 2.0, 2.0]))
    array([1., 2., 1., 2., 3.])
    """
    rows = np.arange(len(values))
    begins = np.ones(len(values), np.bool_)
    begins[1:] = values[1:] != values[:-1]
    return np.asarray(rows - np.maximum.accumulate(np.where(begins, rows, 0)) + 1.0)


def _median(column: FloatArray, begin: IntArray, end: IntArray) -> FloatArray:
    """Median of the entries begin .. end - 1 of the column for each row; 0 where there are none."""
    counts = np.maximum(end - begin, 0)
    places = begin[:, np.newaxis] + np.arange(max(counts.max(initial=1), 1))
    inside = (places < end[:, np.newaxis]) & (places >= 0)
    windows = np.where(inside, column[np.clip(places, 0, len(column) - 1)], np.inf)
    return median_of(windows, inside.sum(axis=1))

"""The hour of readings that ends with a row, for many rows of a series. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalies.familiar.hours import HOUR_US, Window
from anomalies.stretch import Stretch
from mlops.windows import CONTEXT_ROWS
from sensors.series import FloatArray
from smartmaint.lib.compiled import compiled

IntArray = NDArray[np.int64]

_TO_NOISE = 1.4826 / float(np.sqrt(2))  # of the median step


def windows_at(stretch: Stretch, at: IntArray) -> list[Window]:
    """Of each reading at the places `at` of the series, shape (k,), ascending: the hour of those
    that it is compared with, itself the last."""
    times, values, conditions = stretch.series.times, stretch.series.values, stretch.conditions
    firsts = np.searchsorted(times, times[at] - np.timedelta64(HOUR_US, "us"), side="right")
    hours, noises = hours_at(stretch, at).tolist(), noises_of(values, at).tolist()
    found = []
    for first, row, hour, noise in zip(firsts.tolist(), at.tolist(), hours, noises, strict=True):
        own = values[first : row + 1]
        if conditions:
            own = own[conditions.peers(first, row)]
        low, high = float(np.minimum.reduce(own)), float(np.maximum.reduce(own))
        mean = float(np.add.reduce(own)) / len(own)
        found.append(Window(hour, low, high, mean, noise, len(own)))
    return found


def hours_at(stretch: Stretch, at: IntArray) -> IntArray:
    """The hours that readings lie in, counted from 1970 in UTC."""
    micros = stretch.series.times[at].astype("datetime64[us]").astype(np.int64)
    return np.asarray(micros // HOUR_US)


def near_each_other(at: IntArray) -> list[IntArray]:
    """Which of the ascending rows share a context, or nearly so: what is sorted for one of them
    need not be sorted for the others.

    >>> near_each_other(np.array([3, 630, 650, 9000]))
    [array([0, 1]), array([2]), array([3])]
    """
    if not len(at):
        return []
    return np.split(np.arange(len(at)), np.flatnonzero(np.diff(at // CONTEXT_ROWS)) + 1)


def noises_of(values: FloatArray, at: IntArray) -> FloatArray:
    """Of one reading, by how far those in the context before each row jump, (k,); a thousandth of
    the value where they do not."""
    found = np.zeros(len(at))
    for near in near_each_other(at):
        first = max(0, int(at[near[0]]) - CONTEXT_ROWS)
        own = np.ascontiguousarray(values[first : at[near[-1]]], float)
        steps = np.abs(np.diff(own))
        found[near] = _noises(own, steps, np.argsort(steps, kind="stable"), at[near] - first)
    return found


@compiled
def _noises(values: FloatArray, steps: FloatArray, order: IntArray, at: IntArray) -> FloatArray:
    """order: sorts the steps; at: places of `values`, or the one behind its last."""
    found = np.zeros(len(at))
    for i in range(len(at)):
        first, count = max(0, at[i] - CONTEXT_ROWS), at[i] - max(0, at[i] - CONTEXT_ROWS) - 1
        seen, smallest, low, high = 0, 0.0, 0.0, 0.0
        for j in order:
            if not first <= j < first + count:
                continue
            if smallest == 0.0:
                smallest = steps[j]
            if seen == (count - 1) // 2:
                low = steps[j]
            if seen == count // 2:
                high = steps[j]
            seen += 1
            if seen > count // 2 and smallest > 0.0:
                break
        if smallest > 0.0:
            found[i] = max(_TO_NOISE * ((low + high) / 2), smallest / 2)
        elif at[i] > 0:
            found[i] = 1e-3 * abs(values[at[i] - 1]) + 1e-9
    return found

"""What the detectors that judged rows say of them, each asked once for all sensors of a pass. Pure.

A detector's answer on a row is that row's alone, so it makes no difference which are asked for
together. It does to the clock: a call of a model costs about as much for one row as for many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from anomalies.scored import Scored
from mlops import features
from mlops.detectors.base import Detector
from sensors.clocks import IntArray
from sensors.series import FloatArray

Rows = Sequence[tuple[Scored, IntArray]]
"""Of each sensor what its readings scored, and the numbers of some of its rows, shape (k,)."""


def scores(asked: Rows) -> list[FloatArray]:
    """Of the rows' features as they are now, shape (k,) for each sensor."""
    X = _features(asked)
    found = np.zeros(len(X))
    for judge, places in _judges(asked):
        found[places] = judge.score(X[places])
    return _by_sensor(asked, found)


def shares(asked: Rows) -> list[FloatArray]:
    """To which features each row's score is owed, shape (k, d) for each sensor; see Detector."""
    X = _features(asked)
    found = np.zeros_like(X)
    for judge, places in _judges(asked):
        found[places] = judge.contributions(X[places])
    return _by_sensor(asked, found)


def _judges(asked: Rows) -> Iterable[tuple[Detector, IntArray]]:
    """Each judge, with the places of the rows that it judged among those of all sensors."""
    found: dict[int, tuple[Detector, list[IntArray]]] = {}
    begin = 0
    for scored, rows in asked:
        owner = scored.owners(rows)
        for one in np.unique(owner).tolist():
            judge = scored.judges[one][1]
            _, places = found.setdefault(id(judge), (judge, []))
            places.append(begin + np.flatnonzero(owner == one))
        begin += len(rows)
    return [(judge, np.concatenate(places)) for judge, places in found.values()]


def _features(asked: Rows) -> FloatArray:
    """Of all rows, one sensor after the other."""
    none = np.zeros((0, len(features.FEATURES)))
    return np.concatenate([none, *(scored.features[rows] for scored, rows in asked)])


def _by_sensor(asked: Rows, found: FloatArray) -> list[FloatArray]:
    ends = np.cumsum([0, *(len(rows) for _, rows in asked)]).tolist()
    return [found[begin:end] for begin, end in pairwise(ends)]

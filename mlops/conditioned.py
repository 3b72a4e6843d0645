"""Features that compare like with like: what a baseline is not made of, it does not see. Pure.

A machine that is not always running: a reading while it runs is compared with those before it while
it ran; what it reads while it stands still or starts is usual there, whatever it is, and says
nothing of how it runs. A fault that a person confirmed: its readings are compared with what was
before it and with each other, as they came, but nothing after it is compared with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops import features
from sensors.operating import RUNNING, StateArray
from sensors.series import FloatArray, TimeArray

BoolArray = NDArray[np.bool_]

_CLOCK = [features.FEATURES.index(name) for name in ("gap", "rhythm")]


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which a sensor's readings were taken: shape (n,) each, None where all are alike.

    states: of the machine; faulty: whether the reading is of a confirmed fault.
    """

    states: StateArray | None = None
    faulty: BoolArray | None = None

    def __bool__(self) -> bool:
        return self.states is not None or self.faulty is not None

    @property
    def running(self) -> BoolArray | None:
        return None if self.states is None else np.asarray(self.states == RUNNING)

    def __getitem__(self, rows: slice) -> Conditions:
        return Conditions(
            None if self.states is None else self.states[rows],
            None if self.faulty is None else self.faulty[rows],
        )

    def healthy(self, first: int, stop: int) -> BoolArray:
        """Of the rows first..stop-1, those that may be learnt from."""
        own, found = self[first:stop], np.ones(stop - first, np.bool_)
        if own.states is not None:
            found &= own.states == RUNNING
        if own.faulty is not None:
            found &= ~own.faulty
        return found

    def peers(self, first: int, row: int) -> BoolArray:
        """Of the rows first..row, those that `row` is compared with, itself among them.

        A reading of a fault has those of the same fault as its peers: an unbroken run of rows.
        """
        found = self.healthy(first, row + 1)
        if self.faulty is not None and self.faulty[row]:
            healthy_before = np.flatnonzero(~self.faulty[first : row + 1])
            began = int(healthy_before[-1]) + 1 if len(healthy_before) else 0
            own = self[first + began : row + 1].running
            found[began:] = True if own is None else own
        return found


ALIKE = Conditions()


def compute(
    times: TimeArray, values: FloatArray, first: int, conditions: Conditions = ALIKE
) -> FloatArray:
    """As features.compute, (n - first, d), by each row's peers; zeros while it does not run.

    A row depends on CONTEXT_ROWS readings up to it, those that are no peers among them, so that it
    is the same in any batch.
    """
    if not conditions:
        return features.compute(times, values, first)
    X = np.zeros((len(values) - first, len(features.FEATURES)))
    for begin, end in _running_stretches(conditions, first, len(values)):
        X[begin - first : end - first] = _stretch(times, values, conditions, begin, end)
    return X


def expected(
    times: TimeArray, values: FloatArray, row: int, conditions: Conditions = ALIKE
) -> tuple[float, float]:
    """As features.expected, by the row's peers; by all readings while it does not run."""
    past = slice(max(0, row - features.CONTEXT_ROWS + 1), row + 1)
    peers = conditions.peers(past.start, row)
    if not peers[-1]:
        return features.expected(times, values, row)
    known, at = times[past][peers], values[past][peers]
    return features.expected(known, at, len(at) - 1)


def stood_lately(states: StateArray | None, first: int) -> BoolArray | None:
    """Whether the machine did not run at some row of the context of each row from `first` on."""
    return None if states is None else _lately(states != RUNNING, first)


def _lately(is_other: BoolArray, first: int) -> BoolArray:
    """Whether any is within the context of each row from `first` on."""
    total = np.concatenate([[0], np.cumsum(is_other)])
    stop = np.arange(first, len(is_other)) + 1
    return np.asarray(total[stop] > total[np.maximum(stop - features.CONTEXT_ROWS, 0)])


def _running_stretches(conditions: Conditions, first: int, n: int) -> list[tuple[int, int]]:
    """(first row, row after the last) of each run of running rows from `first` on."""
    runs = conditions.running
    if runs is None:
        return [(first, n)]
    padded = np.concatenate([[False], runs[first:], [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1]) + first
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _stretch(
    times: TimeArray, values: FloatArray, conditions: Conditions, begin: int, end: int
) -> FloatArray:
    """Of rows that follow each other, by the peers in each one's context."""
    since = max(0, begin - features.CONTEXT_ROWS + 1)
    # A reading that was not sent is missing in whatever state; so far as all are alike, all else
    # too.
    X = features.compute(times[since:end], values[since:end], begin - since)
    is_other = ~conditions.healthy(0, end)
    for row in (np.flatnonzero(_lately(is_other, begin)) + begin).tolist():
        past = slice(max(0, row - features.CONTEXT_ROWS + 1), row + 1)
        peers = conditions.peers(past.start, row)
        if peers.all():
            continue
        known, at = times[past][peers], values[past][peers]
        own = features.compute(known, at, len(known) - 1)[0]
        own[_CLOCK] = X[row - begin, _CLOCK]
        X[row - begin] = own
    return X

"""Features of a machine that is not always running: each state has a baseline of its own. Pure.

A reading while the machine runs is compared with those before it while it ran; what it reads while
it stands still or starts is usual there, whatever it is, and says nothing of how it runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlops import features
from sensors.operating import RUNNING, StateArray
from sensors.series import FloatArray, TimeArray

_CLOCK = [features.FEATURES.index(name) for name in ("gap", "rhythm")]


def compute(
    times: TimeArray, values: FloatArray, first: int, states: StateArray | None
) -> FloatArray:
    """As features.compute, (n - first, d), of the rows while it runs; zeros for all others.

    states: shape (n,), None where it always runs. A row depends on CONTEXT_ROWS readings up to it,
    those of other states among them, so that it is the same in any batch.
    """
    if states is None:
        return features.compute(times, values, first)
    X = np.zeros((len(values) - first, len(features.FEATURES)))
    for begin, end in _running_stretches(states, first):
        X[begin - first : end - first] = _stretch(times, values, states, begin, end)
    return X


def stood_lately(states: StateArray | None, first: int) -> NDArray[np.bool_] | None:
    """Whether the machine did not run at some row of the context of each row from `first` on."""
    if states is None:
        return None
    total = np.concatenate([[0], np.cumsum(states != RUNNING)])
    stop = np.arange(first, len(states)) + 1
    return np.asarray(total[stop] > total[np.maximum(stop - features.CONTEXT_ROWS, 0)])


def _running_stretches(states: StateArray, first: int) -> list[tuple[int, int]]:
    """(first row, row after the last) of each run of running rows from `first` on."""
    running = np.concatenate([[False], states[first:] == RUNNING, [False]])
    edges = np.flatnonzero(running[1:] != running[:-1]) + first
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _stretch(
    times: TimeArray, values: FloatArray, states: StateArray, begin: int, end: int
) -> FloatArray:
    """Of rows that follow each other, by the running rows of each one's context."""
    since = max(0, begin - features.CONTEXT_ROWS + 1)
    # A reading that was not sent is missing in whatever state; so far as it runs, all else too.
    X = features.compute(times[since:end], values[since:end], begin - since)
    stood = stood_lately(states[:end], begin)
    for row in np.flatnonzero(stood) + begin if stood is not None else ():
        past = slice(max(0, row - features.CONTEXT_ROWS + 1), row + 1)
        kept = states[past] == RUNNING
        known, at = times[past][kept], values[past][kept]
        own = features.compute(known, at, len(known) - 1)[0]
        own[_CLOCK] = X[row - begin, _CLOCK]
        X[row - begin] = own
    return X

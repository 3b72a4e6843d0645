"""The last readings of a stream, for views that look at several at once. Pure."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mlops.detectors.streaming.contract import State
from sensors.series import FloatArray


def start(rows: int) -> State:
    return {"recent": np.full(rows, np.nan)}


def windows(state: State, values: FloatArray) -> FloatArray:
    """For each value the `rows` values before it and itself: shape (n, rows + 1), oldest first.

    NaN where there were none yet. Moves `state`.
    """
    recent = state["recent"]
    if not len(values):
        return np.zeros((0, len(recent) + 1))
    whole = np.concatenate([recent, values])
    recent[:] = whole[len(whole) - len(recent) :]
    return sliding_window_view(whole, len(recent) + 1)

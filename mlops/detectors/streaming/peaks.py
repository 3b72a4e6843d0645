"""Which rows of a stream exceed all of the rows shortly before them. Pure.

A change seen once would alarm on every row that follows it; only what is rarer than all of late is
news. Kept as the falling staircase of recent maxima, so a row costs the same for any span.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.streaming.contract import State
from sensors.series import FloatArray
from smartmaint.lib.compiled import compiled

IntArray = NDArray[np.int64]


def start(span: int) -> State:
    """span: rows before a row that it is compared with, at least 1."""
    return {
        "heights": np.zeros(span),  # a ring, falling from the oldest to the newest
        "rows": np.zeros(span, np.int64),
        "ends": np.zeros(2, np.int64),  # how many ever entered and ever left the ring's old end
        "row": np.zeros(1, np.int64),
    }


def peaks(state: State, heights: FloatArray) -> NDArray[np.bool_]:
    """Whether each is higher than all of the `span` before it, shape (n,). Moves `state`."""
    return _peaks(heights, state["heights"], state["rows"], state["ends"], state["row"])


@compiled
def _peaks(
    heights: FloatArray, kept: FloatArray, rows: IntArray, ends: IntArray, row: IntArray
) -> NDArray[np.bool_]:
    found = np.zeros(len(heights), np.bool_)
    span = len(kept)
    for i in range(len(heights)):
        new, old = ends[0], ends[1]
        if new > old and rows[old % span] < row[0] - span:
            old += 1
        while new > old and kept[(new - 1) % span] < heights[i]:
            new -= 1
        found[i] = new == old
        kept[new % span] = heights[i]
        rows[new % span] = row[0]
        ends[0], ends[1] = new + 1, old
        row[0] += 1
    return found

"""Rolling windows that end at a row, and order statistics over them. Pure.

Nothing here depends on how many rows are looked at together: each row's window is taken, sorted and
counted by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sensors.series import FloatArray, TimeArray

IntArray = NDArray[np.int64]
Column = TypeVar("Column", FloatArray, IntArray)

CONTEXT_ROWS = 640  # readings, the row's own among them, that a row may know
RECENT_ROWS = 24  # the newest, which are compared with those before them
SHORT_ROWS = 12  # of which a level is
TO_SD = 1.4826  # a median absolute deviation of normal noise, as a standard deviation
LARGEST = 1e150  # a difference of two larger ones could overflow
LONG_AGO = np.iinfo(np.int64).min // 4


@dataclass(frozen=True, slots=True)
class Context:
    """Rows to judge, preceded by exactly CONTEXT_ROWS - 1 rows, of which the first may be missing.

    times (int64 µs), values and known have shape (CONTEXT_ROWS - 1 + m,); a row that is not known
    has the value inf, so that it sorts behind all others. seen: shape (m,), rows up to each one.
    """

    times: IntArray
    values: FloatArray
    known: NDArray[np.bool_]
    seen: IntArray

    @classmethod
    def of(cls, times: TimeArray, values: FloatArray, first: int, stop: int | None) -> Context:
        stop = len(values) if stop is None else stop
        missing = CONTEXT_ROWS - 1 - first
        pad = np.full(missing, np.inf)
        micros = times[:stop].astype("datetime64[us]").astype(np.int64)
        return cls(
            times=np.concatenate([np.full(missing, LONG_AGO), micros]),
            values=np.concatenate([pad, np.clip(values[:stop], -LARGEST, LARGEST)]),
            known=np.arange(missing + stop) >= missing,
            seen=np.arange(first, stop) + 1,
        )

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def now(self) -> FloatArray:
        return self.values[CONTEXT_ROWS - 1 :]

    def steps(self) -> FloatArray:
        """Absolute difference of each row to the row before; inf where there is none."""
        steps = np.full(len(self.values), np.inf)
        pair = self.known[1:] & self.known[:-1]
        steps[1:][pair] = np.abs(self.values[1:][pair] - self.values[:-1][pair])
        return steps


def trailing(column: Column, m: int, rows: int, skip: int = 0) -> Column:
    """For each of the last m rows the `rows` entries that end `skip` rows before it: (m, rows)."""
    stop = len(column) - skip
    return sliding_window_view(column[stop - m - rows + 1 : stop], rows)


def flagged(flags: NDArray[np.bool_], m: int, rows: int, skip: int = 0) -> IntArray:
    """How many flags are set in those windows: (m,)."""
    total = np.concatenate([[0], np.cumsum(flags)])
    stop = len(flags) - skip + 1
    return np.asarray(total[stop - m : stop] - total[stop - m - rows : stop - rows])


def median_of(windows: FloatArray, counts: IntArray) -> FloatArray:
    """Median of the `counts` smallest entries of each window; 0 where there are none."""
    return middle_of(np.sort(windows, axis=1), counts)


def middle_of(ordered: FloatArray, counts: IntArray) -> FloatArray:
    rows = np.arange(len(ordered))
    low = ordered[rows, np.maximum(counts - 1, 0) // 2]
    high = ordered[rows, np.minimum(counts // 2, ordered.shape[1] - 1)]
    found = np.zeros(len(ordered))
    some = counts > 0
    found[some] = low[some] + (high[some] - low[some]) / 2
    return found

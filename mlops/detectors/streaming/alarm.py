"""From rarity to a score that means the same on every stream. Pure.

At ALARM_LEVEL a reading is so rare that ROWS_A_WARMUP of as many readings as the warm-up has are
expected to be as rare: the alarm rate is stated in warm-ups, the only length that is known of a
stream. A row alarms when it is that rare, and rarer than all rows of the last PEAK_SHARE of a
warm-up: a change seen once would otherwise alarm on every row that follows it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops.detectors.streaming import peaks
from mlops.detectors.streaming.contract import State, part, prefixed
from sensors.series import FloatArray

USUAL_WARMUP = 600  # rows, where nothing is known of a stream
ROWS_A_WARMUP = 4.0
PEAK_SHARE = 0.3
_ECHO = 0.2  # of its score is what a row keeps that follows a rarer one


@dataclass(frozen=True, slots=True)
class Alarm:
    """warmup: rows at the start of a stream that score 0, at least 1; None when it is not known:
    then alarms are as many as with USUAL_WARMUP, and come as soon as the past allows them."""

    warmup: int | None = None

    @property
    def rows(self) -> int:
        """That the alarm rate refers to."""
        return USUAL_WARMUP if self.warmup is None else self.warmup

    def start(self) -> State:
        span = max(1, int(PEAK_SHARE * self.rows))
        return prefixed("peaks", peaks.start(span)) | {"rows": np.zeros(1, np.int64)}

    def scores(self, state: State, rarity: FloatArray) -> FloatArray:
        """In [0, 1], shape (n,), of -log10 tail probabilities of that shape. Moves `state`."""
        is_peak = peaks.peaks(part("peaks", state), rarity)
        rows = state["rows"][0] + np.arange(len(rarity))
        state["rows"] += len(rarity)
        scores = score_of(rarity, self.rows) * np.where(is_peak, 1.0, _ECHO)
        return np.where(rows < (self.warmup or 0), 0.0, scores)


def score_of(rarity: FloatArray, warmup: int) -> FloatArray:
    """ALARM_LEVEL where ROWS_A_WARMUP rows of a warm-up are as rare; towards 1 for rarer ones.

    >>> score_of(np.array([0.0, 2.0, 5.0]), warmup=300).round(3)
    array([0.013, 0.571, 0.999])
    """
    expected = warmup * 10.0**-rarity
    return np.asarray(ROWS_A_WARMUP / (ROWS_A_WARMUP + expected))

"""Scoring alarms of streams against labelled windows, with a reward for being early. Pure.

An alarm in a window earns the more the earlier it comes, once a window; an alarm outside costs,
less if it comes soon after a window; a window without an alarm costs its miss. A score of 0 is no
alarm at all, 100 an alarm at the first row of every window and no other.
Source: Lavin & Ahmad (2015), Evaluating real-time anomaly detection algorithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.metrics import Rows
from sensors.series import FloatArray

PROBATION_SHARE, PROBATION_ROWS = 0.15, 750
_STEEPNESS = 5.0
_FORGOTTEN = 3.0  # window lengths after which an alarm has nothing to do with the window
_NO_WINDOW = -1


@dataclass(frozen=True, slots=True)
class Profile:
    """What a missed window and a false alarm cost, where a window found at once earns 1."""

    name: str
    miss: float
    false_alarm: float


PROFILES = (
    Profile("standard", 1.0, 0.11),
    Profile("low-FP", 1.0, 0.22),
    Profile("low-FN", 2.0, 0.11),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """scores: shape (n,); windows: first and last row of each, in order and apart."""

    scores: FloatArray
    windows: tuple[Rows, ...]


def probation(rows: int) -> int:
    """Rows at the start of a stream of that length that are not scored.

    >>> probation(4_032), probation(20_000)
    (604, 750)
    """
    return min(int(PROBATION_SHARE * rows), PROBATION_ROWS)


def worth(rows: int, windows: Sequence[Rows]) -> tuple[FloatArray, NDArray[np.int64]]:
    """What an alarm at each row is worth, shape (rows,), 1 to -1; and its window, or -1.

    >>> value, window = worth(6, [(2, 3)])
    >>> value.round(2), window
    (array([-1.  , -1.  ,  1.  ,  0.86, -0.99, -1.  ]), array([-1, -1,  0,  0, -1, -1]))
    """
    value, window = np.full(rows, -1.0), np.full(rows, _NO_WINDOW)
    nexts = [*(first for first, _ in windows), rows][1:]
    for number, ((first, last), until) in enumerate(zip(windows, nexts, strict=True)):
        length = last - first + 1
        left = np.arange(length, 0, -1) / length  # of the window, the row itself among it
        value[first : last + 1] = _sigmoid(-left) / _sigmoid(np.array(-1.0))
        window[first : last + 1] = number
        since = np.arange(1, until - last) / max(length - 1, 1)
        value[last + 1 : until] = np.where(since > _FORGOTTEN, -1.0, _sigmoid(since))
    return value, window


def _sigmoid(place: FloatArray) -> FloatArray:
    """1 a window before its end, 0 at its end, -1 long after it."""
    return np.asarray(2 / (1 + np.exp(_STEEPNESS * place)) - 1)


@dataclass(frozen=True, slots=True)
class _Pooled:
    """The scored rows of many streams, by falling score; windows are numbered through."""

    scores: FloatArray
    worth: FloatArray
    window: NDArray[np.int64]
    windows: int

    @classmethod
    def of(cls, streams: Sequence[Stream]) -> _Pooled:
        scores, values, owners, total = [], [], [], 0
        for stream in streams:
            scored = slice(probation(len(stream.scores)), None)
            value, window = worth(len(stream.scores), stream.windows)
            scores.append(stream.scores[scored])
            values.append(value[scored])
            owners.append(np.where(window == _NO_WINDOW, _NO_WINDOW, window + total)[scored])
            total += len(stream.windows)
        pooled, value, owner = (np.concatenate(each) for each in (scores, values, owners))
        order = np.argsort(-pooled, kind="stable")
        return cls(pooled[order], value[order], owner[order], total)

    def gains(self, profile: Profile) -> FloatArray:
        """What each row adds when the level falls to its score: shape (n,)."""
        gains = np.where(self.window == _NO_WINDOW, self.worth * profile.false_alarm, 0.0)
        best = np.full(self.windows, -profile.miss)
        for row in np.flatnonzero(self.window != _NO_WINDOW):
            own = self.window[row]
            gains[row] = max(self.worth[row] - best[own], 0.0)
            best[own] = max(best[own], self.worth[row])
        return gains

    def normalised(self, gain: float, profile: Profile) -> float:
        return 100 * gain / (self.windows * (1 + profile.miss))


def score_at(streams: Sequence[Stream], level: float, profile: Profile) -> float:
    """With an alarm on every row whose score is at least `level`, in all streams."""
    pooled = _Pooled.of(streams)
    gains = pooled.gains(profile)
    return pooled.normalised(float(gains[pooled.scores >= level].sum()), profile)


def best_score(streams: Sequence[Stream], profile: Profile) -> tuple[float, float]:
    """The highest score that any level gives, and the level; inf where no alarm is best.

    It is found on the labels themselves, so it is an upper bound.
    """
    pooled = _Pooled.of(streams)
    sums = np.cumsum(pooled.gains(profile))
    is_last = np.append(pooled.scores[1:] != pooled.scores[:-1], True)
    totals = np.append(0.0, sums[is_last])
    levels = np.append(np.inf, pooled.scores[is_last])
    at = int(np.argmax(totals))
    return pooled.normalised(float(totals[at]), profile), float(levels[at])

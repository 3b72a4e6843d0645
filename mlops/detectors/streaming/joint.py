"""The joint distance of a machine's sensors as a fold: it fits itself, and learns again. Pure.

The first rows, a stretch, are learnt from; the rows after them are judged against that, and stay
alarms for as long as the machine stays away from it. Every LEARNT_AGAIN stretches it learns from
all of the last MEMORY stretches that was no alarm: a machine that slowly changes is not held to its
first hour, and what never alarmed is not forgotten. What was an alarm for LASTING stretches is how
the machine now runs, and is learnt at once. Wear so slow that it is learnt before it is an alarm is
left to those who compare with the whole past, sensor by sensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.base import ALARM_LEVEL, score_of_rarity
from mlops.detectors.joint import Joint, Usual
from mlops.detectors.streaming.contract import State, copied
from sensors.series import FloatArray

LEAST_ROWS, MOST_ROWS = 400, 1_000  # of a stretch, which is as long as the warm-up
MEMORY, LEARNT_AGAIN, LASTING = 4, 2, 2  # stretches
_LARGEST = 1e100
_PRESENT = 0.5  # share of the learnt rows in which a sensor must say something to be judged
_ENOUGH = 0.75  # stretches of complete quiet rows, to learn again
_LEARNT = ("centre", "width", "wandering", "offset", "spread", "freedom", "whitening")


@dataclass(frozen=True, slots=True)
class JointFold:
    """`sensors`: how many; `warmup`: rows to learn from, at the start of the stream.

    The state holds MEMORY stretches of rows and one fit: its size depends on nothing else.
    """

    sensors: int
    warmup: int

    @property
    def fit_rows(self) -> int:
        return int(np.clip(self.warmup, LEAST_ROWS, MOST_ROWS))

    def start(self) -> State:
        k = self.sensors
        learnt = {name: np.zeros(k) for name in _LEARNT} | {"whitening": np.zeros((k, k))}
        return learnt | {
            "recent": np.full((MEMORY * self.fit_rows, k), np.nan),
            "quiet": np.zeros(MEMORY * self.fit_rows, bool),
            "seen": np.zeros(1, np.int64),
            "present": np.zeros(k, bool),
            "tail": np.zeros(2),  # mean and deviation of the logarithms of held-back distances
            "is_fitted": np.zeros(1, bool),
            "until_fit": np.full(1, max(self.warmup, LEAST_ROWS)),
            "alarmed": np.zeros(1, np.int64),  # rows that alarmed, less those that did not
        }

    def fold(self, state: State, values: FloatArray) -> tuple[State, FloatArray]:
        """The state after these rows, and how rare each is by each sensor: shape (n, k).

        values: shape (n, k), NaN for a gap. A row's sum is the rarity of its joint distance, on
        the scale of `score_of_rarity`; 0 where nothing is known. `state` stays as it is.
        """
        state, values = copied(state), np.clip(values, -_LARGEST, _LARGEST)
        found, begin = np.zeros(values.shape), 0
        while begin < len(values):
            fits = bool(state["is_fitted"][0])
            step = self._judge if fits else self._gather
            taken, rarities = step(state, values[begin:])
            found[begin : begin + taken] = rarities
            begin += taken
        return state, found

    def _gather(self, state: State, values: FloatArray) -> tuple[int, FloatArray]:
        taken = min(int(state["until_fit"][0]), len(values))
        self._remember(state, values[:taken], np.ones(taken, bool))
        if state["until_fit"][0] == 0:
            self._fit(state)
        return taken, np.zeros((taken, self.sensors))

    def _judge(self, state: State, values: FloatArray) -> tuple[int, FloatArray]:
        """Up to the row after which it learns again."""
        values = values[: int(state["until_fit"][0])]
        model, rows = _model(state, self.fit_rows), len(values)
        X = np.concatenate([state["recent"], values])[-(model.context_rows_ + rows) :]
        X = np.where(state["present"], X, np.nan)
        rarity, shares = model.rarity(X)[-rows:], model.contributions(X)[-rows:]
        is_alarm = score_of_rarity(rarity) >= ALARM_LEVEL
        lasted = _lasted(int(state["alarmed"][0]), np.where(is_alarm, 1, -1))
        too_long = np.flatnonzero(lasted >= LASTING * self.fit_rows)
        taken = int(too_long[0]) + 1 if len(too_long) else rows
        self._remember(state, values[:taken], ~is_alarm[:taken])
        state["alarmed"][0] = lasted[taken - 1]
        if len(too_long):
            state["quiet"][-self.fit_rows :] = True
            state["alarmed"][0] = 0
        if len(too_long) or state["until_fit"][0] == 0:
            self._fit(state)
        return taken, (rarity[:, np.newaxis] * shares)[:taken]

    def _remember(self, state: State, values: FloatArray, quiet: NDArray[np.bool_]) -> None:
        rows = len(state["recent"])
        state["recent"] = np.concatenate([state["recent"], values])[-rows:].copy()
        state["quiet"] = np.concatenate([state["quiet"], quiet])[-rows:].copy()
        state["seen"] += len(values)
        state["until_fit"] -= len(values)

    def _fit(self, state: State) -> None:
        """From the quiet rows it remembers; where they are too few, what it knew stays."""
        known = min(int(state["seen"][0]), len(state["recent"]))
        X, quiet = state["recent"][-known:], state["quiet"][-known:]
        present = (~np.isnan(X)).mean(axis=0) >= _PRESENT
        state["until_fit"][0] = LEARNT_AGAIN * self.fit_rows
        X = np.where(present, X, 0.0)
        enough = (quiet & ~np.isnan(X).any(axis=1)).sum() >= _ENOUGH * self.fit_rows
        if not (enough and present.any()):
            return
        model = Joint().fit(X, quiet, self.fit_rows)
        state["present"], state["is_fitted"][0] = present, True
        state["tail"] = np.array([model.log_mean_, model.log_sd_])
        for name in _LEARNT:
            state[name] = np.array(getattr(model.usual_, name))


def _model(state: State, fit_rows: int) -> Joint:
    usual = Usual(**{name: state[name] for name in _LEARNT})
    return Joint.restored(fit_rows, usual, float(state["tail"][0]), float(state["tail"][1]))


def _lasted(before: int, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """A sum that never falls below 0.

    >>> _lasted(1, np.array([1, -1, -1, -1, 1]))
    array([2, 1, 0, 0, 1])
    """
    sums = before + np.cumsum(steps)
    return np.asarray(sums - np.minimum(np.minimum.accumulate(sums), 0))

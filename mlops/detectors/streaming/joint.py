"""The joint distance of a machine's sensors as a fold: it fits itself, and learns again. Pure.

The first rows, a stretch, are learnt from; the rows after them are judged against that, and stay
alarms for as long as the machine stays away from it. Every LEARNT_AGAIN stretches it learns from
all of the last MEMORY stretches that was no alarm: a machine that slowly changes is not held to its
first hour, and what never alarmed is not forgotten. What was an alarm for LASTING stretches is how
the machine now runs, and is learnt at once. Wear so slow that it is learnt before it is an alarm is
left to those who compare with the whole past, sensor by sensor.

What a sensor usually does at a time of day is taken off first, once enough days are known: a
machine that is warm by day is not a changed one. Two more things are tried, and the nearest counts.
When the clock of its site is changed, a machine may keep the hours of the people or those of the
sun, until its memory lies behind the change. And it may stay as it is at hours at which it does not
change, such as by night: on a holiday.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.base import ALARM_LEVEL, ALARM_RARITY, score_of_rarity
from mlops.detectors.joint import RARITY_A_DECADE, WINDOWS, Joint, Usual
from mlops.detectors.streaming import daily
from mlops.detectors.streaming.contract import State, copied
from mlops.detectors.streaming.daily import IntArray
from mlops.detectors.streaming.judgement import Fitted, Judgement, Nearest
from sensors import clocks
from sensors.series import FloatArray, TimeArray

LEAST_ROWS, MOST_ROWS = 400, 1_000  # of a stretch, which is as long as the warm-up
MEMORY, LEARNT_AGAIN, LASTING = 4, 2, 2  # stretches
_LARGEST = 1e100
_LEAST_VARIANCE = 1e-300
_PRESENT = 0.5  # share of the learnt rows in which a sensor must say something to be judged
_QUARTILE = 0.6745  # of the normal law, in deviations
_ENOUGH = 0.75  # stretches of complete quiet rows, to learn again
_LEARNT = ("centre", "width", "wandering", "offset", "spread", "freedom", "whitening")


@dataclass(frozen=True, slots=True)
class _Known:
    """Rows as they were measured: hours since 1970 in UTC, (n,), and values, (n, k)."""

    hours: IntArray
    values: FloatArray


@dataclass(frozen=True, slots=True)
class JointFold:
    """`sensors`: how many; `warmup`: rows to learn from, at the start of the stream; `zone`: of the
    site, whose clock may be changed.

    The state holds MEMORY stretches of rows and one fit: its size depends on nothing else.
    """

    sensors: int
    warmup: int
    zone: str = "UTC"

    @property
    def fit_rows(self) -> int:
        return int(np.clip(self.warmup, LEAST_ROWS, MOST_ROWS))

    @property
    def window_rows(self) -> int:
        """Of the trailing means that are judged."""
        return self.fit_rows // WINDOWS

    def start(self) -> State:
        k = self.sensors
        learnt = {name: np.zeros(k) for name in _LEARNT} | {"whitening": np.zeros((k, k))}
        return learnt | {
            "recent": np.full((MEMORY * self.fit_rows, k), np.nan),
            "hours": np.zeros(MEMORY * self.fit_rows, np.int64),  # since 1970, of those rows
            "season": np.zeros((daily.HOURS, k)),  # by UTC
            "local_season": np.zeros((daily.HOURS, k)),  # by the clock of the site
            "quiet": np.zeros(MEMORY * self.fit_rows, bool),
            "seen": np.zeros(1, np.int64),
            "present": np.zeros(k, bool),
            "tail": np.zeros(2),  # mean and deviation of the logarithms of distances out of sample
            "far": np.full(MEMORY * self.fit_rows, np.nan),  # these, as the rows were judged
            "is_fitted": np.zeros(1, bool),
            "until_fit": np.full(1, max(self.warmup, LEAST_ROWS)),
            "alarmed": np.zeros(1, np.int64),  # rows that alarmed, less those that did not
        }

    def fold(self, state: State, times: TimeArray, values: FloatArray) -> tuple[State, FloatArray]:
        """The state after these rows, and how rare each is by each sensor: shape (n, k).

        values: shape (n, k), NaN for a gap. A row's sum is the rarity of its joint distance, on
        the scale of `score_of_rarity`; 0 where nothing is known. `state` stays as it is.
        """
        after, judgement = self.judge(state, times, values)
        return after, judgement.parts

    def judge(self, state: State, times: TimeArray, values: FloatArray) -> tuple[State, Judgement]:
        """As `fold`, with what is needed to tell of any row what was expected."""
        state, values = copied(state), np.clip(values, -_LARGEST, _LARGEST)
        hours = daily.hours_of(times)
        parts, fits, begin = np.zeros(values.shape), [], 0
        while begin < len(values):
            if state["is_fitted"][0]:
                found, fit = self._judge(state, hours[begin:], values[begin:])
                parts[begin : begin + len(found)] = found
                fits.append((begin, fit))
                begin += len(found)
            else:
                begin += self._gather(state, hours[begin:], values[begin:])
        return state, Judgement(parts, tuple(fits))

    def _gather(self, state: State, hours: IntArray, values: FloatArray) -> int:
        taken = min(int(state["until_fit"][0]), len(values))
        unjudged = np.full(taken, np.nan)
        self._remember(state, hours[:taken], values[:taken], np.ones(taken, bool), unjudged)
        if state["until_fit"][0] == 0:
            self._fit(state)
        return taken

    def _judge(
        self, state: State, hours: IntArray, values: FloatArray
    ) -> tuple[FloatArray, Fitted]:
        """The parts of the rows up to the one after which it learns again, and the fit."""
        rows = min(len(values), int(state["until_fit"][0]))
        fit, distance, shares = self._nearest(state, hours[:rows], values[:rows])
        rarity = fit.model.rarity_of(distance)
        is_alarm = score_of_rarity(rarity) >= ALARM_LEVEL
        lasted = _lasted(int(state["alarmed"][0]), np.where(is_alarm, 1, -1))
        too_long = np.flatnonzero(lasted >= LASTING * self.fit_rows)
        taken = int(too_long[0]) + 1 if len(too_long) else rows
        far = np.log(distance[:taken])
        self._remember(state, hours[:taken], values[:taken], ~is_alarm[:taken], far)
        state["alarmed"][0] = lasted[taken - 1]
        if len(too_long):
            state["quiet"][-self.fit_rows :] = True
            state["far"][-LASTING * self.fit_rows :] = np.nan
            state["alarmed"][0] = 0
        if len(too_long) or state["until_fit"][0] == 0:
            self._fit(state)
        parts = (rarity[:, np.newaxis] * shares)[:taken]
        return parts, fit.up_to(taken)

    def _nearest(
        self, state: State, hours: IntArray, values: FloatArray
    ) -> tuple[Fitted, FloatArray, FloatArray]:
        """The fit, the distance of each row, shape (n,), and its shares, by the nearest season."""
        rows = len(values)
        known = self._known(state, hours, values)
        fit = self._fitted(state, known, self._by_utc(state, known), rows)
        nearest = Nearest(fit, fit.distance(), fit.shares())
        local = state["local_season"][self._local(known.hours) % daily.HOURS]
        if not np.array_equal(local, fit.season):
            nearest.consider(self._fitted(state, known, local, rows), np.ones(rows, np.bool_))
        # Whether a row is looked at otherwise follows from the row alone, in any piece. What stays
        # an alarm is told by what is usual at its time.
        may_alarm = nearest.rarity >= RARITY_A_DECADE
        if may_alarm.any():
            mean = fit.model.observed(fit.season)
            for level in daily.plateaus(state["season"], fit.model.usual_.width):
                lately = replace(fit, besides=level - mean)
                nearest.consider(lately, may_alarm, ALARM_RARITY)
                season = np.broadcast_to(level, fit.X.shape)
                for_long = self._fitted(state, known, season, rows)
                nearest.consider(for_long, may_alarm, ALARM_RARITY)
        return nearest.fit, nearest.distance, nearest.shares

    def _known(self, state: State, hours: IntArray, values: FloatArray) -> _Known:
        """The rows with their context."""
        needed = slice(-(_model(state, self.fit_rows).context_rows_ + len(values)), None)
        return _Known(
            np.concatenate([state["hours"], hours])[needed],
            np.concatenate([state["recent"], values])[needed],
        )

    def _fitted(self, state: State, known: _Known, season: FloatArray, rows: int) -> Fitted:
        X = np.where(state["present"], known.values - season, np.nan)
        return Fitted(_model(state, self.fit_rows), X, season, len(X) - rows)

    def _by_utc(self, state: State, known: _Known) -> FloatArray:
        return np.asarray(state["season"][known.hours % daily.HOURS])

    def _local(self, hours: IntArray) -> IntArray:
        return hours if self.zone == "UTC" else hours + clocks.ahead(ZoneInfo(self.zone), hours)

    def _remember(
        self,
        state: State,
        hours: IntArray,
        values: FloatArray,
        quiet: NDArray[np.bool_],
        far: FloatArray,
    ) -> None:
        rows = len(state["recent"])
        state["hours"] = np.concatenate([state["hours"], hours])[-rows:].copy()
        state["recent"] = np.concatenate([state["recent"], values])[-rows:].copy()
        state["quiet"] = np.concatenate([state["quiet"], quiet])[-rows:].copy()
        state["far"] = np.concatenate([state["far"], far])[-rows:].copy()
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
        hours = state["hours"][-known:]
        state["season"] = daily.season(X, hours, quiet)
        state["local_season"] = daily.season(X, self._local(hours), quiet)
        local = state["local_season"][self._local(hours) % daily.HOURS]
        X = min(X - state["season"][hours % daily.HOURS], X - local, key=_scatter)
        model = Joint().fit(X, quiet, self.fit_rows)
        state["present"], state["is_fitted"][0] = present, True
        state["tail"] = self._tail(model, state)
        for name in _LEARNT:
            state[name] = np.array(getattr(model.usual_, name))

    def _tail(self, model: Joint, state: State) -> FloatArray:
        """Mean and deviation of the logarithms of distances out of sample: of rows held back, or of
        those that were judged lately, where these were farther.

        A machine that wanders is met less well tomorrow than on any day that is held back. By
        median and upper quartile, and without the alarm that goes on just now: a fault that nobody
        confirmed does not become usual.
        """
        mean, deviation = model.log_mean_, model.log_sd_
        far = state["far"][: len(state["far"]) - int(state["alarmed"][0])]
        far = far[~np.isnan(far)]
        if len(far) >= self.fit_rows:
            middle, upper = np.quantile(far, (0.5, 0.75))
            mean, deviation = max(mean, middle), max(deviation, (upper - middle) / _QUARTILE)
        return np.array([mean, deviation])


def _scatter(X: FloatArray) -> float:
    """How far the sensors move in all, each against itself."""
    return float(np.log(np.maximum(np.nanvar(X, axis=0), _LEAST_VARIANCE)).sum())


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

"""The core: several views of one stream, calibrated alike, as one score. Pure.

Each view measures how far a reading lies from the stream's own past, and the distance becomes the
tail probability that it has among that view's own past distances, so that views in any unit can be
put together and every sensor is judged alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.base import ALARM_LEVEL
from mlops.detectors.streaming import rarity
from mlops.detectors.streaming.alarm import Alarm
from mlops.detectors.streaming.contract import Fold, Readings, State, copied, part, prefixed
from mlops.detectors.streaming.value import ValueNovelty
from sensors.series import FloatArray, TimeArray


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said of n rows.

    scores: shape (n,), in [0, 1]; rarities: shape (n, k), -log10 of the tail probability of each of
    the k features. Both are 0 where the value is missing, scores also during the warm-up.
    """

    scores: FloatArray
    rarities: FloatArray

    @property
    def alarms(self) -> NDArray[np.bool_]:
        return np.asarray(self.scores >= ALARM_LEVEL)


@dataclass(frozen=True, slots=True)
class Views:
    """How rare the readings of one sensor are, seen in several ways."""

    folds: tuple[Fold, ...] = (ValueNovelty(),)

    @property
    def features_(self) -> tuple[str, ...]:
        return tuple(fold.name for fold in self.folds)

    def start(self) -> State:
        state: State = {}
        for fold in self.folds:
            state |= prefixed(f"{fold.name}.past", fold.start())
            state |= prefixed(f"{fold.name}.rarity", rarity.start())
        return state

    def rarities(self, state: State, times: TimeArray, values: FloatArray) -> FloatArray:
        """Shape (n, k), 0 where the value is NaN, for times and values of shape (n,).

        Moves `state`.
        """
        is_known = ~np.isnan(values)
        readings = Readings.of(times[is_known], values[is_known])
        found = np.zeros((len(values), len(self.folds)))
        for column, fold in enumerate(self.folds):
            distances = fold.advance(part(f"{fold.name}.past", state), readings)
            own = part(f"{fold.name}.rarity", state)
            found[is_known, column] = rarity.rarities(own, distances)
        return found

    def combined(self, rarities: FloatArray) -> FloatArray:
        """One rarity of those of the views: shape (n,) from (n, k)."""
        return np.asarray(rarities.max(axis=1))


@dataclass(frozen=True, slots=True)
class Core:
    """The detector of one sensor.

    >>> core = Core(alarm=Alarm(warmup=50))
    >>> values = np.append(np.random.default_rng(0).normal(size=200), 40.0)
    >>> times = np.datetime64("2026-01-01", "us") + np.arange(201) * np.timedelta64(600, "s")
    >>> state, judged = core.fold(core.start(), times, values)
    >>> bool(judged.alarms[200])
    True
    """

    alarm: Alarm = field(default_factory=Alarm)
    views: Views = field(default_factory=Views)
    name: str = "core"

    @property
    def features_(self) -> tuple[str, ...]:
        return self.views.features_

    def start(self) -> State:
        return prefixed("alarm", self.alarm.start()) | prefixed("views", self.views.start())

    def fold(self, state: State, times: TimeArray, values: FloatArray) -> tuple[State, Judged]:
        """The state after these readings, and what is to be said of them.

        times: datetime64, increasing and later than those before; values: NaN marks a gap. Both of
        shape (n,). `state` itself stays as it is.
        """
        state, is_known = copied(state), ~np.isnan(values)
        rarities = self.views.rarities(part("views", state), times, values)
        scores = np.zeros(len(values))
        known = self.views.combined(rarities[is_known])
        scores[is_known] = self.alarm.scores(part("alarm", state), known)
        return state, Judged(scores, rarities)

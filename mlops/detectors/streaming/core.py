"""The core: several views of one stream, calibrated alike, as one score. Pure.

Each view measures how far a reading lies from the stream's own past, and the distance becomes the
tail probability that it has among that view's own past distances, so that views in any unit can be
put together and every sensor is judged alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.base import ALARM_LEVEL, normalised
from mlops.detectors.streaming import rarity
from mlops.detectors.streaming.alarm import Alarm
from mlops.detectors.streaming.contract import Fold, Readings, State, copied, part, prefixed
from mlops.detectors.streaming.daytime import DaytimeNovelty
from mlops.detectors.streaming.level import LevelNovelty
from mlops.detectors.streaming.shape import DOUBLING, STEP, ShapeNovelty
from mlops.detectors.streaming.value import ValueNovelty
from sensors.series import FloatArray, TimeArray

# Of healthy streams (noise, autoregressive, generated sensors, transformer loads) as many rows have
# a mean rarity of r - 0.4 as have a rarity of r in one view, for r from 2 to 3.
AGREEMENT = 0.4


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
class View:
    """voice: share in the evidence that is put together; alone: the share of the alarms that the
    view may give where the others see nothing, 0 for none."""

    fold: Fold
    voice: float = 0.0
    alone: float = 0.0


# The value has half of the voices, the other questions that can be put to a stream share the rest.
# What only steps and shapes show would be lost in the mean; each may alarm alone, but seldom.
DEFAULT_VIEWS = (
    View(ValueNovelty(), voice=1 / 2),
    View(LevelNovelty(), voice=1 / 6),
    View(DaytimeNovelty(), voice=1 / 6),
    View(ShapeNovelty("shape", DOUBLING), voice=1 / 6, alone=1 / 8),
    View(ShapeNovelty("step", STEP), alone=1 / 8),
)


@dataclass(frozen=True, slots=True)
class Views:
    """How rare the readings of one sensor are, seen in several ways."""

    views: tuple[View, ...] = DEFAULT_VIEWS

    @property
    def features_(self) -> tuple[str, ...]:
        return tuple(view.fold.name for view in self.views)

    def start(self) -> State:
        state: State = {}
        for view in self.views:
            state |= prefixed(f"{view.fold.name}.past", view.fold.start())
            state |= prefixed(f"{view.fold.name}.rarity", rarity.start())
        return state

    def rarities(self, state: State, times: TimeArray, values: FloatArray) -> FloatArray:
        """Shape (n, k), 0 where the value is NaN, for times and values of shape (n,).

        Moves `state`.
        """
        is_known = ~np.isnan(values)
        readings = Readings.of(times[is_known], values[is_known])
        found = np.zeros((len(values), len(self.views)))
        for column, view in enumerate(self.views):
            distances = view.fold.advance(part(f"{view.fold.name}.past", state), readings)
            own = part(f"{view.fold.name}.rarity", state)
            found[is_known, column] = rarity.rarities(own, distances)
        return found

    def combined(self, rarities: FloatArray) -> FloatArray:
        """One rarity of those of the views: shape (n,) from (n, k).

        The mean of the logarithms, each with its voice, so that views that agree count; or what one
        view says alone, if that is rarer by as much as its share is smaller. Sums run in the order
        of the views, so that a row does not depend on those beside it.
        Source: Vovk & Wang (2020), Combining p-values via averaging.
        """
        return np.asarray(np.maximum(self._agreed(rarities), self._alone(rarities).max(axis=1)))

    def contributions(self, rarities: FloatArray) -> FloatArray:
        """Shape (n, k), each row sums to 1: which views the combined rarity is owed to."""
        voices = np.array([view.voice for view in self.views])
        alone = self._alone(rarities)
        loudest = np.arange(len(self.views)) == alone.argmax(axis=1)[:, np.newaxis]
        by_one = alone.max(axis=1) > self._agreed(rarities)
        return np.where(by_one[:, np.newaxis], loudest, normalised(rarities * voices))

    def _agreed(self, rarities: FloatArray) -> FloatArray:
        agreed = np.full(len(rarities), AGREEMENT)
        for view, column in zip(self.views, rarities.T, strict=True):
            agreed = agreed + view.voice * column
        return agreed

    def _alone(self, rarities: FloatArray) -> FloatArray:
        """What each view says alone, less what its share costs; -inf for views without one."""
        with np.errstate(divide="ignore"):
            return np.asarray(rarities + np.log10([view.alone for view in self.views]))


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

    def contributions(self, judged: Judged) -> FloatArray:
        """Shape (n, k), each row sums to 1: which of features_ a row's score is owed to."""
        return self.views.contributions(judged.rarities)

"""Several sensors of one asset, row by row, from what is said of each alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mlops.detectors.streaming.alarm import Alarm
from mlops.detectors.streaming.contract import State, copied, part, prefixed
from mlops.detectors.streaming.core import Judged, Views
from sensors.series import FloatArray, TimeArray


@dataclass(frozen=True, slots=True)
class EachSensor:
    """The rarest reading of a row speaks for it, less what looking at many sensors costs.

    Of the alarms that a sensor alone might give, each of `sensors` may give its share (Bonferroni),
    so that an asset alarms about as often as a sensor does.
    """

    sensors: tuple[str, ...]
    alarm: Alarm = field(default_factory=Alarm)
    views: Views = field(default_factory=Views)
    name: str = "each_sensor"

    @property
    def features_(self) -> tuple[str, ...]:
        return tuple(f"{s}.{view}" for s in self.sensors for view in self.views.features_)

    def start(self) -> State:
        state = prefixed("alarm", self.alarm.start())
        for number in range(len(self.sensors)):
            state |= prefixed(f"sensor{number}", self.views.start())
        return state

    def fold(self, state: State, times: TimeArray, values: FloatArray) -> tuple[State, Judged]:
        """As Core.fold, with values of shape (n, sensors); a row without any value scores 0."""
        state, is_known = copied(state), ~np.isnan(values).all(axis=1)
        each = [
            self.views.rarities(part(f"sensor{number}", state), times, column)
            for number, column in enumerate(values.T)
        ]
        most = np.max([self.views.combined(rarities) for rarities in each], axis=0)
        shared = np.maximum(most - np.log10(len(self.sensors)), 0.0)
        scores = np.zeros(len(values))
        scores[is_known] = self.alarm.scores(part("alarm", state), shared[is_known])
        return state, Judged(scores, np.concatenate(each, axis=1))

    def contributions(self, judged: Judged) -> FloatArray:
        """As of Core: all of it is owed to the sensor that speaks for the row."""
        each = np.split(judged.rarities, len(self.sensors), axis=1)
        speaker = np.argmax([self.views.combined(rarities) for rarities in each], axis=0)
        return np.concatenate(
            [
                self.views.contributions(rarities) * (speaker == number)[:, np.newaxis]
                for number, rarities in enumerate(each)
            ],
            axis=1,
        )

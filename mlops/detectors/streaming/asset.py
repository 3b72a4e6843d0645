"""Several sensors of one asset, row by row: what each says alone, and all jointly. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mlops.detectors.base import normalised, score_of_rarity
from mlops.detectors.streaming.alarm import Alarm
from mlops.detectors.streaming.contract import State, copied, part, prefixed
from mlops.detectors.streaming.core import Judged, Views
from mlops.detectors.streaming.joint import JointFold
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


@dataclass(frozen=True, slots=True)
class Asset:
    """The detector of a machine: the rarest reading of a row, or how far its sensors are jointly.

    The first says when something new comes, once; the second stays an alarm while the machine runs
    as it did not before. Each keeps its own rate: `ROWS_A_WARMUP` rows, and a stretch in
    `STRETCHES_PER_ALARM` warm-ups, so that neither pays for the other.
    """

    sensors: tuple[str, ...]
    alarm: Alarm = field(default_factory=Alarm)
    views: Views = field(default_factory=Views)
    name: str = "asset"

    @property
    def each(self) -> EachSensor:
        return EachSensor(self.sensors, self.alarm, self.views)

    @property
    def joint(self) -> JointFold:
        return JointFold(len(self.sensors), self.alarm.rows)

    @property
    def features_(self) -> tuple[str, ...]:
        return self.each.features_ + tuple(f"{sensor}.joint" for sensor in self.sensors)

    def start(self) -> State:
        return prefixed("each", self.each.start()) | prefixed("joint", self.joint.start())

    def fold(self, state: State, times: TimeArray, values: FloatArray) -> tuple[State, Judged]:
        """As EachSensor.fold."""
        each_state, each = self.each.fold(part("each", state), times, values)
        joint_state, joint = self.joint.fold(part("joint", state), times, values)
        is_known = ~np.isnan(values).all(axis=1)
        jointly = np.where(is_known, _joint_score(joint), 0.0)
        after = prefixed("each", each_state) | prefixed("joint", joint_state)
        rarities = np.concatenate([each.rarities, joint], axis=1)
        return after, Judged(np.maximum(each.scores, jointly), rarities)

    def contributions(self, judged: Judged) -> FloatArray:
        """As of Core: all of it is owed to the one of the two that gives the score."""
        split = len(self.each.features_)
        each, joint = judged.rarities[:, :split], judged.rarities[:, split:]
        by_joint = ((judged.scores > 0) & (_joint_score(joint) >= judged.scores))[:, np.newaxis]
        alone = self.each.contributions(Judged(judged.scores, each))
        return np.concatenate(
            [np.where(by_joint, 0.0, alone), np.where(by_joint, normalised(joint), 0.0)], axis=1
        )


def _joint_score(rarities: FloatArray) -> FloatArray:
    """Columns are added one after the other: a row does not depend on those beside it."""
    total = np.zeros(len(rarities))
    for column in rarities.T:
        total += column
    return score_of_rarity(total)

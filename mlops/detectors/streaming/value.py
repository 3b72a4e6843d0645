"""Value novelty: was a value like this one ever read before? Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mlops.detectors.streaming import novelty
from mlops.detectors.streaming.contract import Readings, State
from sensors.series import FloatArray


@dataclass(frozen=True, slots=True)
class ValueNovelty:
    """Distance to the nearest value of the past, in the sensor's unit."""

    name: str = "value"

    def start(self) -> State:
        return novelty.start()

    def advance(self, state: State, readings: Readings) -> FloatArray:
        return novelty.distances(state, readings.values)

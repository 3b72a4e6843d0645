"""Readings of a sensor with what their scores depend on: what is scored. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops import conditioned
from mlops.conditioned import Conditions
from sensors.operating import StateArray
from sensors.series import FloatArray, Series, TimeArray


@dataclass(frozen=True, slots=True)
class Limits:
    """A sensor's limits in its unit; None where there is none."""

    physical_min: float | None = None
    physical_max: float | None = None
    alarm_low: float | None = None
    alarm_high: float | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A sensor's readings with the rows to be scored: those from `first` on.

    states: of the machine at each reading, (n,); None where it runs at all of them. faulty: which
    readings are of a fault that a person confirmed, (n,); None where none is.
    What stands before `first` is context. Whoever builds one sees to it that the context reaches
    back `context_rows` readings, or to the sensor's first.
    """

    series: Series
    first: int
    limits: Limits
    states: StateArray | None = None
    faulty: NDArray[np.bool_] | None = None

    @property
    def conditions(self) -> Conditions:
        return Conditions(self.states, self.faulty)

    def features_from(self, row: int) -> FloatArray:
        return conditioned.compute(self.series.times, self.series.values, row, self.conditions)

    def expected(self, row: int) -> tuple[float, float]:
        """The band in which the reading of that row of the series would have been usual."""
        return conditioned.expected(self.series.times, self.series.values, row, self.conditions)

    @property
    def stood(self) -> NDArray[np.bool_] | None:
        """Of the rows to be scored, those whose context knows the machine not running."""
        return conditioned.stood_lately(self.states, self.first)

    @property
    def times(self) -> TimeArray:
        return self.series.times[self.first :]

    @property
    def values(self) -> FloatArray:
        return self.series.values[self.first :]

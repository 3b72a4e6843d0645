"""A forecaster on a long history: fitted once, judged on what came later, hour by hour. Pure.

The protocol of the ETT benchmarks: values in standard deviations of the training part, a forecast
of the whole horizon from every origin whose steps all lie in the part, the mean of all squares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlops.forecasting import bands
from mlops.forecasting.base import Fitted, Forecaster
from mlops.forecasting.steps import Steps
from sensors.series import FloatArray

MONTH = 30 * 24


@dataclass(frozen=True, slots=True)
class Split:
    """A history, standardised by its training part, and where its parts begin, in steps.

    All before `validate` trains, all from `test` on tests.
    """

    steps: Steps
    validate: int
    test: int
    horizon: int

    @classmethod
    def of(cls, steps: Steps, *, months: tuple[int, int, int], horizon: int) -> Split:
        """Months of 30 days to train, to validate and to test on; what is left over is not used."""
        train, validate, test = (part * MONTH for part in months)
        whole = steps.until(train + validate + test)
        past = whole.values[:train]
        scaled = replace(whole, values=(whole.values - past.mean()) / (past.std() or 1.0))
        return cls(scaled, train, train + validate, horizon)

    @property
    def end(self) -> int:
        return len(self.steps)

    @property
    def training(self) -> Steps:
        return self.steps.until(self.validate)


def errors(fitted: Fitted, split: Split, first: int, end: int, every: int = 1) -> FloatArray:
    """Measured minus forecast from each origin with all its steps in first..end: (k, horizon)."""
    values, horizon = split.steps.values, split.horizon
    return np.array([
        values[origin : origin + horizon] - fitted.forecast(split.steps.until(origin))
        for origin in range(first, end - horizon + 1, every)
    ])  # fmt: skip


def refitted_errors(forecaster: Forecaster, split: Split, *, window: int, every: int) -> FloatArray:
    """The same over the test part, fitted anew at each origin on the `window` steps before it."""
    steps, found = split.steps, []
    for origin in range(split.test, split.end - split.horizon + 1, every):
        first = max(origin - window, 0)
        past = replace(
            steps,
            start=steps.times(first, first + 1)[0],
            values=steps.values[first:origin],
            known=steps.known[first:origin],
        )
        ahead = forecaster.fit(past, split.horizon).forecast(past)
        found.append(steps.values[origin : origin + split.horizon] - ahead)
    return np.array(found)


def covered(fitted: Fitted, split: Split, every: int = 5) -> float:
    """Share of the test part within the 80 % band, made at each origin from the month before it."""
    origins = np.arange(split.validate, split.end - split.horizon + 1, every)
    found = errors(fitted, split, split.validate, split.end, every)
    held = bands.coverage(found, origins, origins >= split.test, reach=MONTH)
    return held.share if held is not None else float("nan")

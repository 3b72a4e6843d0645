"""One sensor's forecast: the best forecaster of its past, fitted again, with a band. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mlops.forecasting import backtest, bands
from mlops.forecasting.backtest import Course, Record
from mlops.forecasting.policy import ForecastPolicy, forecaster
from mlops.forecasting.steps import Steps
from sensors.series import FloatArray


@dataclass(frozen=True, slots=True)
class Forecast:
    """The steps after the past: mean and half the band's width, shape (horizon,), in the unit.

    errors: what the same forecaster erred by from origins in the past, shape (origins, horizon).
    """

    name: str
    mean: FloatArray
    half: FloatArray
    errors: FloatArray
    record: Record

    @property
    def low(self) -> FloatArray:
        return self.mean - self.half

    @property
    def high(self) -> FloatArray:
        return self.mean + self.half


class TooShort(ValueError):
    """The past is too short to forecast from; the message says how long it has to be."""


def forecast(steps: Steps, policy: ForecastPolicy) -> Forecast:
    """Let the policy's forecasters compete, and forecast by the one that is chosen. TooShort."""
    measured = int(steps.known.sum())
    if measured < policy.least:
        raise TooShort(f"{measured} steps were measured, {policy.least} are needed")
    candidates = [forecaster(name, policy) for name in policy.forecasters]
    record, errors = backtest.compete(candidates, steps, _course(steps, policy))
    mean = _ahead(record.chosen, steps, policy)
    own = errors[record.chosen]
    return Forecast(record.chosen, mean, bands.half_widths(own), own, record)


def by(name: str, steps: Steps, policy: ForecastPolicy) -> tuple[FloatArray, FloatArray]:
    """Mean and past errors of one forecaster: what `forecast` gave when it was chosen."""
    errors = backtest.errors_of(forecaster(name, policy), steps, _course(steps, policy))
    return _ahead(name, steps, policy), errors


def _ahead(name: str, steps: Steps, policy: ForecastPolicy) -> FloatArray:
    horizon = policy.ahead(len(steps), steps.season)
    return forecaster(name, policy).fit(steps, horizon).forecast(steps)


def _course(steps: Steps, policy: ForecastPolicy) -> Course:
    horizon = policy.ahead(len(steps), steps.season)
    return backtest.course(len(steps), horizon, origins=policy.origins, refits=policy.refits)

"""Whether, and when, a forecast meets a limit; or why nothing is said about it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mlops.forecasting.base import cycle
from mlops.forecasting.forecast import Forecast
from mlops.forecasting.policy import ForecastPolicy
from mlops.forecasting.steps import Steps
from sensors.series import FloatArray

SEASONS, FEWEST_SEASONS = 14, 5
MOST_LIKELY = 0.5
MET = "it was met within the last day"


@dataclass(frozen=True, slots=True)
class Limit:
    """name: alarm_high or alarm_low; value: in the sensor's unit."""

    name: str
    value: float

    @property
    def sign(self) -> float:
        """1 where more is worse, −1 where less is."""
        return -1.0 if self.name.endswith("low") else 1.0


@dataclass(frozen=True, slots=True)
class Part:
    """Of a likelihood. share: all add up to 1; past_limit: what it adds, in the unit, to how far
    the forecast lies past the limit; negative where it falls short of it."""

    name: str
    share: float
    past_limit: float


@dataclass(frozen=True, slots=True)
class Crossing:
    """Steps ahead, from 0: when the forecast is at the limit, and when the ends of its band are.

    latest: None when that lies beyond the forecast. score: in 0..1, how likely it is by what was
    erred in the past; more than a half. parts: what that is owed to.
    """

    at: int
    earliest: int
    latest: int | None
    score: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class NoEstimate:
    reason: str


@dataclass(frozen=True, slots=True)
class Trend:
    """slope: in the unit a season (a day, usually), Theil-Sen; p: two-sided, Mann-Kendall."""

    slope: float
    p: float


def crossing(
    forecast: Forecast, steps: Steps, limit: Limit, policy: ForecastPolicy
) -> Crossing | NoEstimate:
    """When the sensor meets the limit. Said only where its trend leads there and its past forecasts
    were as sure as they claimed to be."""
    unjustified = _unjustified(forecast, steps, limit, policy)
    if unjustified:
        return NoEstimate(unjustified)
    sign, value = limit.sign, limit.sign * limit.value
    beyond = sign * forecast.mean >= value
    if not beyond.any():
        return NoEstimate("the forecast does not reach it")
    score = likelihood(forecast.mean, forecast.errors, limit)
    if score <= MOST_LIKELY:
        return NoEstimate("by its past errors the forecast is too near to it to say")
    surely = sign * forecast.mean - forecast.half >= value
    return Crossing(
        at=int(beyond.argmax()),
        earliest=int((sign * forecast.mean + forecast.half >= value).argmax()),
        latest=int(surely.argmax()) if surely.any() else None,
        score=score,
        parts=_parts(forecast, steps, limit, score),
    )


def likelihood(mean: FloatArray, past_errors: FloatArray, limit: Limit) -> float:
    """How likely the limit is met at the step that lies furthest beyond it, by the errors of the
    past at that step and its neighbours.

    mean: shape (horizon,); past_errors: shape (origins, horizon), NaN where it is not known.
    In 0..1; with m errors known it stays 0.5 / (m + 1) away from both ends.
    """
    at = _furthest(mean, limit)
    return _met(float(mean[at]), at, past_errors, limit)


def _furthest(mean: FloatArray, limit: Limit) -> int:
    return int((limit.sign * mean).argmax())


def _met(level: float, at: int, past_errors: FloatArray, limit: Limit) -> float:
    """How likely the limit is met where `level` is forecast for the step `at`."""
    reach = max(1, past_errors.shape[1] // 8)
    errors = limit.sign * past_errors[:, max(0, at - reach) : at + reach + 1]
    known = errors[np.isfinite(errors)]
    met = int((limit.sign * level + known >= limit.sign * limit.value).sum())
    return (met + 0.5) / (len(known) + 1)


def _parts(forecast: Forecast, steps: Steps, limit: Limit, score: float) -> tuple[Part, Part]:
    """`present`: as much of the likelihood as there is if the sensor goes on repeating its last
    season; `course`: what its way from there to the forecast adds."""
    at = _furthest(forecast.mean, limit)
    present, foreseen = float(cycle(steps, at + 1)[at]), float(forecast.mean[at])
    share = min(_met(present, at, forecast.errors, limit) / score, 1.0)
    return (
        Part("present", share, limit.sign * (present - limit.value)),
        Part("course", 1 - share, limit.sign * (foreseen - present)),
    )


def _unjustified(
    forecast: Forecast, steps: Steps, limit: Limit, policy: ForecastPolicy
) -> str | None:
    """Why nothing is said about this limit, whatever the forecast shows."""
    recent = steps.values[-steps.season :]
    if (limit.sign * recent).max() >= limit.sign * limit.value:
        return MET
    held = forecast.record.coverage
    if held is None:
        return "there are too few past forecasts to judge by"
    if held.share < policy.least_coverage:
        return f"only {held.share:.0%} of past readings lay in their 80 % band"
    if not forecast.record.beats_naive:
        return "no forecaster did better than to repeat the last day"
    found = trend(steps)
    if found is None:
        return f"a trend needs {FEWEST_SEASONS} whole days of readings"
    if found.p > policy.trend_p or found.slope * limit.sign <= 0:
        return "there is no trend towards it"
    return None


def trend(steps: Steps) -> Trend | None:
    """How the mean of a season moves over the last ones; None with fewer than FEWEST_SEASONS.

    Sources: Sen (1968); Mann (1945), Kendall (1975), without ties.
    """
    seasons = min(SEASONS, len(steps) // steps.season)
    if seasons < FEWEST_SEASONS:
        return None
    means = steps.values[-seasons * steps.season :].reshape(seasons, -1).mean(axis=1)
    older, newer = np.triu_indices(seasons, k=1)
    slope = float(np.median((means[newer] - means[older]) / (newer - older)))
    return Trend(slope, _mann_kendall_p(means, older, newer))


def _mann_kendall_p(means: FloatArray, older: np.ndarray, newer: np.ndarray) -> float:
    n = len(means)
    s = float(np.sign(means[newer] - means[older]).sum())
    spread = math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    z = (s - np.sign(s)) / spread
    return math.erfc(abs(z) / math.sqrt(2))

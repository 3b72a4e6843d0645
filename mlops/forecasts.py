"""Forecasts of stored sensors: their past from the database, what is ahead into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import F, Max

from mlops.forecasting import policy as policies
from mlops.forecasting.backtest import Record
from mlops.forecasting.crossing import Crossing, Limit, crossing
from mlops.forecasting.forecast import Forecast as Made
from mlops.forecasting.forecast import TooShort, forecast
from mlops.forecasting.policy import ForecastPolicy
from mlops.forecasting.steps import DAY_S, Steps, on_grid
from mlops.models import Forecast
from sensors import buckets
from sensors.models import Sensor, SensorProfile
from sensors.presentation import zone_of
from sensors.series import to_datetime, to_datetime64

HOUR_S = 3600
LIMITS = ("alarm_high", "alarm_low")
# Nobody needs tomorrow's forecast of a sensor that was last heard the day before yesterday.
STALE = timedelta(days=2)
KEPT = timedelta(days=90)


def policy() -> ForecastPolicy:
    return policies.parse(settings.FORECAST_POLICY)


def make(sensor: Sensor, *, policy: ForecastPolicy, now: datetime) -> Forecast:
    """Forecast a sensor from its newest full step, and store it. TooShort.

    The same past gives the same row again.
    """
    as_of = newest_step(sensor)
    if as_of is None:
        raise TooShort("nothing was measured yet")
    steps = past_of(sensor, as_of, policy)
    made = forecast(steps, policy)
    row, _ = Forecast.objects.update_or_create(
        sensor=sensor,
        as_of=as_of,
        defaults={
            "made_at": now,
            "model": made.name,
            "step_s": steps.step_s,
            "horizon": len(made.mean),
            "mean": made.mean.tolist(),
            "low": made.low.tolist(),
            "high": made.high.tolist(),
            "record": record_of(made.record),
            "estimates": [estimate(made, steps, limit, policy) for limit in limits_of(sensor)],
            "policy": policy.as_dict(),
            "digest": digest_of(steps),
        },
    )
    return row


def due(*, now: datetime) -> Iterator[Sensor]:
    """Sensors heard lately that have a full step since their newest forecast, oldest first."""
    heard = Sensor.objects.scored().filter(profile__last_time__gte=now - STALE)
    waiting = heard.annotate(newest=Max("forecasts__as_of")).select_related("site", "profile")
    for sensor in waiting.order_by(F("newest").asc(nulls_first=True), "pk").iterator(500):
        as_of = newest_step(sensor)
        if as_of is not None and (sensor.newest is None or sensor.newest < as_of):
            yield sensor


def prune(*, now: datetime) -> int:
    """Forget old forecasts; how many. What was predicted by them is in the anomalies."""
    return Forecast.objects.filter(as_of__lt=now - KEPT).delete()[0]


def newest_step(sensor: Sensor) -> datetime | None:
    """When the last full step of the sensor ends; None before its first reading."""
    profile: SensorProfile | None = getattr(sensor, "profile", None)
    if profile is None or profile.last_time is None:
        return None
    unit = np.timedelta64(step_of(sensor), "s")
    moment = to_datetime64(profile.last_time)
    whole = (moment - np.datetime64(0, "us")) // unit
    return to_datetime(np.datetime64(0, "us") + whole * unit)


def step_of(sensor: Sensor) -> int:
    """Seconds of a step: an hour, or a day for sensors that speak less often."""
    profile: SensorProfile | None = getattr(sensor, "profile", None)
    interval = sensor.expected_interval_s or (profile.interval_s if profile else None) or 0
    return HOUR_S if interval <= HOUR_S else DAY_S


def past_of(
    sensor: Sensor, as_of: datetime, policy: ForecastPolicy, step_s: int | None = None
) -> Steps:
    """The steps up to `as_of`, from the roll-ups where these are fine enough."""
    step_s = step_s or step_of(sensor)
    since = as_of - timedelta(seconds=step_s) * policy.history
    last = as_of - timedelta(microseconds=1)
    found = buckets.points(sensor, since=since, until=last, limit=policy.history)
    if isinstance(found, buckets.Singles):
        times, values, weights = found.times, found.values, None
    else:
        times = found.buckets.begins.astype("datetime64[us]")
        values, weights = found.buckets.mean, found.buckets.count.astype(float)
    return on_grid(
        times,
        values,
        start=to_datetime64(since),
        n=policy.history,
        step_s=step_s,
        zone=zone_of(sensor.site.timezone),
        weights=weights,
    )


def limits_of(sensor: Sensor) -> list[Limit]:
    """The alarm limits that the sensor has."""
    stated = [(name, getattr(sensor, name)) for name in LIMITS]
    return [Limit(name, value) for name, value in stated if value is not None]


def estimate(made: Made, steps: Steps, limit: Limit, policy: ForecastPolicy) -> dict[str, Any]:
    """When a limit is met, in times; or the reason why nothing is said."""
    told: dict[str, Any] = {"limit": limit.name, "value": limit.value}
    found = crossing(made, steps, limit, policy)
    if not isinstance(found, Crossing):
        return told | {"reason": found.reason}

    def at(ahead: int | None) -> str | None:
        """The end of a step: by then its mean is known."""
        if ahead is None:
            return None
        return to_datetime(steps.end + steps.step * (ahead + 1)).isoformat()

    return told | {
        "at": at(found.at),
        "earliest": at(found.earliest),
        "latest": at(found.latest),
        "score": found.score,
        "parts": [asdict(part) for part in found.parts],
    }


def record_of(record: Record) -> dict[str, Any]:
    """The backtest as data, with a sentence."""
    held = record.coverage
    return {
        "chosen": record.chosen,
        "mae": dict(record.mae),
        "chosen_by_mae": dict(record.chosen_by),
        "gain": record.gain,
        "beats_seasonal_naive": record.beats_naive,
        "coverage": asdict(held) if held else None,
        "origins": record.origins,
        "sentence": _sentence(record),
    }


def _sentence(record: Record) -> str:
    if record.beats_naive:
        text = f"{record.chosen} errs {record.gain:.0%} less than repeating the last day"
    elif record.chosen == "seasonal_naive":
        text = "nothing did better than repeating the last day, so that is what it does"
    else:
        text = f"{record.chosen} was chosen, and then did not beat repeating the last day"
    if record.coverage:
        text += f"; {record.coverage.share:.0%} of past readings lay in the 80 % band"
    return f"{text}."


def digest_of(steps: Steps) -> str:
    """SHA-256 over the past that a forecast is a function of."""
    total = sha256(f"{steps.start} {steps.step_s} {steps.zone.key}".encode())
    total.update(np.ascontiguousarray(steps.values, "<f8").tobytes())
    total.update(steps.known.tobytes())
    return total.hexdigest()

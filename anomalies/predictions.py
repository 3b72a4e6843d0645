"""Predicted crossings as anomalies: one for each limit of a sensor, moved by newer forecasts.

A prediction begins with the first forecast that says it and goes up to the newest one. When a
newer forecast no longer says it, it is withdrawn with the reason; when the limit was met, it stands
as it was, and what is measured there is for detection to judge.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from anomalies import ledger, predicted
from anomalies.findings import Draft, Recomputed
from anomalies.ledger import Change
from anomalies.models import Anomaly, Nature, PredictedCrossing, Rung
from anomalies.scored import severity
from mlops import forecasts
from mlops.forecasting.crossing import MET, Limit, likelihood
from mlops.forecasting.forecast import TooShort, by
from mlops.forecasting.policy import ForecastPolicy, parse
from mlops.models import Forecast
from sensors.models import Reading, Sensor
from sensors.presentation import zone_of

logger = logging.getLogger(__name__)

# After so long without a newer forecast nobody can say any more where the sensor is heading.
EXPIRES = timedelta(days=3)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('anomalies.predictions ' || %s, 0))"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A sensor's forecast, or why there is none, and what became of its predictions."""

    sensor: Sensor
    forecast: Forecast | None
    reason: str
    change: Change


def run(sensors: Iterable[Sensor], *, policy: ForecastPolicy, now: datetime) -> Iterable[Outcome]:
    """Forecast each sensor and settle what that says of its limits, one after the other."""
    for sensor in sensors:
        try:
            made = forecasts.make(sensor, policy=policy, now=now)
        except TooShort as reason:
            yield Outcome(sensor, None, str(reason), Change())
        else:
            yield Outcome(sensor, made, "", settle(sensor, made, now=now))


@transaction.atomic
def settle(sensor: Sensor, forecast: Forecast, *, now: datetime) -> Change:
    """Make the predictions of a sensor those of its newest forecast."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [sensor.pk])
    if Forecast.objects.filter(sensor=sensor, as_of__gt=forecast.as_of).exists():
        return Change()
    told = {each["limit"]: each for each in forecast.estimates}
    rows = PredictedCrossing.objects.filter(sensor=sensor).select_related("anomaly")
    standing = {row.limit: row for row in rows}
    change = Change()
    for limit in sorted({*told, *standing}):
        change += _settle(sensor, forecast, told.get(limit), standing.get(limit), now=now)
    return change


def expire(*, now: datetime) -> Change:
    """Take back what no newer forecast has spoken of for long."""
    old = PredictedCrossing.objects.filter(anomaly__end__lt=now - EXPIRES)
    change = Change()
    for row in old.select_related("anomaly"):
        with transaction.atomic():
            change += _take_back(row, "no newer forecast could be made", now=now)
    return change


def _settle(
    sensor: Sensor,
    forecast: Forecast,
    told: dict[str, Any] | None,
    row: PredictedCrossing | None,
    *,
    now: datetime,
) -> Change:
    if told is None or "at" not in told:
        reason = "the limit was removed" if told is None else told["reason"]
        return _take_back(row, reason, now=now) if row else Change()
    if row is None or row.anomaly.withdrawn_at is not None:
        return _predict(sensor, forecast, told, row, now=now)
    new = draft(sensor, forecast, told, start=row.anomaly.start)
    reason = f"forecast from {forecast.as_of:%Y-%m-%d %H:%M}: at {told['at'][:16]} UTC"
    changed = ledger.update(row.anomaly, new, grows=False, reason=reason, now=now)
    return Change(changed=changed)


def _predict(
    sensor: Sensor,
    forecast: Forecast,
    told: dict[str, Any],
    row: PredictedCrossing | None,
    *,
    now: datetime,
) -> Change:
    found = ledger.new_row(sensor, draft(sensor, forecast, told, start=forecast.as_of), now=now)
    found.save()
    if row is not None:
        row.delete()
    PredictedCrossing.objects.create(sensor=sensor, limit=told["limit"], anomaly=found)
    return Change(created=1)


def _take_back(row: PredictedCrossing, reason: str, *, now: datetime) -> Change:
    """The limit is predicted no more. If it was met, the prediction stands as it was."""
    row.delete()
    if reason == MET or row.anomaly.withdrawn_at is not None:
        return Change()
    ledger.withdraw(row.anomaly, reason=reason[:100], now=now)
    return Change(withdrawn=1)


def draft(sensor: Sensor, forecast: Forecast, told: dict[str, Any], *, start: datetime) -> Draft:
    """The anomaly that a forecast predicts."""
    is_high = told["limit"].endswith("high")
    zone = zone_of(sensor.site.timezone)
    return Draft(
        sensor_id=sensor.pk,
        start=start,
        peak=forecast.as_of,
        end=forecast.as_of,
        readings=0,
        score=told["score"],
        severity=min(severity(told["score"]), predicted.MOST_SEVERE),
        nature=Nature.PREDICTED.value,
        detector=predicted.DETECTOR,
        model_name="",
        model_version=None,
        rung=Rung.LOCAL.value,
        observed=forecast.mean[0],
        expected_low=None if is_high else told["value"],
        expected_high=told["value"] if is_high else None,
        explanation={
            "contributions": predicted.contributions(told),
            "rung_reason": "",
            "predicted": {
                **told,
                "forecaster": forecast.model,
                "as_of": forecast.as_of.isoformat(),
                "record": forecast.record["sentence"],
            },
            "sentence": predicted.sentence(sensor.external_id, sensor.unit, told, zone),
        },
        receipt={
            "policy": forecast.policy,
            "forecaster": forecast.model,
            "step_s": forecast.step_s,
            "limit": told["limit"],
            "value": told["value"],
            "window_sha256": forecast.digest,
        },
    )


def recompute(anomaly: Anomaly) -> Recomputed:
    """The score again: the same forecaster, fitted and judged on the stored readings up to then.

    Raises Reading.DoesNotExist when too few of them are left.
    """
    receipt = anomaly.receipt
    policy = parse(receipt["policy"])
    steps = forecasts.past_of(anomaly.sensor, anomaly.peak, policy, receipt["step_s"])
    if int(steps.known.sum()) < policy.least:
        raise Reading.DoesNotExist("too few of the readings before it are left")
    mean, errors = by(receipt["forecaster"], steps, policy)
    score = likelihood(mean, errors, Limit(receipt["limit"], receipt["value"]))
    return Recomputed(score, forecasts.digest_of(steps) != receipt["window_sha256"])

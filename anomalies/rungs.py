"""Where a sensor stands on the ladder just now, what the next rung waits for, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from anomalies.detection_policy import DetectionPolicy
from anomalies.ladder import step
from mlops import fleets, serving
from mlops.detectors.newcomer import ROWS
from mlops.models import FleetPrior
from sensors.models import Sensor, SensorProfile


@dataclass(frozen=True, slots=True)
class Standing:
    """rung: the highest that its history allows. missing: what the next one waits for, in words;
    empty at the top. seconds and expected_at: the same at the interval observed so far, in event
    time; None where that is not known or it is no matter of readings. fleet: the prior of sensors
    like it that judges its first readings."""

    rung: str
    next_rung: str | None
    readings_missing: int | None
    missing: str
    seconds: float | None
    expected_at: datetime | None
    fleet: FleetPrior | None


def standing_of(sensor: Sensor, policy: DetectionPolicy) -> Standing:
    profile: SensorProfile | None = getattr(sensor, "profile", None)
    prior = _fleet(sensor, profile)
    found = step(
        profile.count if profile else 0,
        champion=serving.has_champion(sensor.pk, sensor.kind),
        policy=policy,
        fleet=prior is not None,
    )
    interval = sensor.expected_interval_s or (profile.interval_s if profile else None)
    missing = found.readings_missing
    seconds = missing * interval if missing is not None and interval else None
    newest = profile.last_time if profile else None
    return Standing(
        rung=found.rung,
        next_rung=found.next_rung,
        readings_missing=missing,
        missing=_in_words(found.next_rung, missing, sensor.kind),
        seconds=seconds,
        expected_at=newest + timedelta(seconds=seconds) if newest and seconds else None,
        fleet=prior,
    )


def _fleet(sensor: Sensor, profile: SensorProfile | None) -> FleetPrior | None:
    """The prior that judges its next reading, while it is new."""
    if profile and profile.count >= ROWS:
        return None
    prior = fleets.of_sensors([sensor]).get(sensor.pk)
    newest = profile.last_time if profile else None
    return None if prior and newest and newest < prior.serves_from else prior


def _in_words(next_rung: str | None, missing: int | None, kind: str) -> str:
    if next_rung is None:
        return ""
    if missing is None:
        return f"a model of kind {kind} that is trained and promoted"
    return "1 reading" if missing == 1 else f"{missing} readings"

"""The false alarms a sensor may give, and those it gave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from django.conf import settings

from anomalies import silence
from anomalies.alarm_rate import DAYS
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly, DetectionLease, Rung, Verdict
from sensors.models import Asset, Sensor, SensorProfile

FEWEST_DAYS = 1.0


@dataclass(frozen=True, slots=True)
class AlarmRate:
    """Both in 30 days; achieved is None while fewer than FEWEST_DAYS are scored."""

    promised: float
    achieved: float | None
    days: float


def bearing(sensor: Sensor, policy: DetectionPolicy) -> DetectionPolicy:
    """The policy with the false alarms that the sensor, else its kind, else its site can bear."""
    by_kind = settings.FALSE_ALARMS_BY_KIND.get(sensor.kind)
    stated = (sensor.false_alarms, by_kind, sensor.site.false_alarms)
    rate = next((rate for rate in stated if rate is not None), policy.false_alarms)
    return replace(policy, false_alarms=rate)


def bearing_of_machine(asset: Asset, policy: DetectionPolicy) -> DetectionPolicy:
    """The policy with the false alarms that a machine can bear: as many as a sensor of its site."""
    stated = asset.site.false_alarms
    return policy if stated is None else replace(policy, false_alarms=stated)


def of(sensor: Sensor, policy: DetectionPolicy) -> AlarmRate:
    """What a threshold by rarity promised, and the anomalies by rarity that nobody confirmed.

    Limits are exceeded or not, silence is no reading: neither counts.
    """
    promised = bearing(sensor, policy).false_alarms
    lease = DetectionLease.objects.filter(sensor=sensor).first()
    profile = SensorProfile.objects.filter(sensor=sensor).first()
    if lease is None or lease.scored_until is None or not profile or profile.first_time is None:
        return AlarmRate(promised, None, 0.0)
    since = max(profile.first_time, lease.scored_until - timedelta(days=DAYS))
    days = (lease.scored_until - since) / timedelta(days=1)
    given = Anomaly.objects.standing().filter(sensor=sensor, asset__isnull=True, end__gte=since)
    given = given.exclude(verdict=Verdict.CONFIRMED).exclude(rung=Rung.LIMITS)
    count = given.exclude(detector=silence.DETECTOR).exclude(nature="predicted").count()
    return AlarmRate(promised, count * DAYS / days if days >= FEWEST_DAYS else None, days)

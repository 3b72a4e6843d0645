"""A small factory to look at: generated machines with real faults, found by the real agents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from django.contrib.auth.models import User

from anomalies import detection, validation
from anomalies.detection import DetectionPolicy
from anomalies.episodes import placing
from anomalies.episodes.policy import EpisodePolicies
from anomalies.models import Anomaly, Verdict
from anomalies.review import review
from sensors import formats, seeding
from sensors.acquisition import ingest
from sensors.generator import generate
from sensors.models import Sensor, Site
from sensors.series import to_datetime64

SEED = 7
# Readings as careless devices send them: each lands in quarantine for another reason.
GARBAGE = (
    b'[{"sensor": "pump-1.vibration", "time": "2026-01-01T00:00:00Z", "value": "n/a"},'
    b' {"sensor": "pump-1.pressure", "time": "9999-01-01T00:00:00Z", "value": 40},'
    b' {"sensor": "fan-1.voltage", "value": 24.1},'
    b' {"sensor": "<script>alert(1)</script>", "time": "yesterday", "value": 1}]'
)


def furnish(*, now: datetime, machines: Sequence[str], person: User) -> None:
    """Sites in two time zones, sensors with a week of readings, anomalies found and judged."""
    until = seeding.floor_to_interval(now)
    fleet = generate(SEED, to_datetime64(until))
    fleet = replace(fleet, streams=tuple(s for s in fleet.streams if s.asset in machines))
    sites = seeding.create_fleet(fleet=fleet, until=until)
    Site.objects.filter(slug="north-plant").update(timezone="Europe/Berlin")
    seeding.write(fleet=fleet, sites=sites, held_back=True, now=now)
    ingest(formats.from_json(GARBAGE), site=sites["north-plant"], source="http", now=now)
    set_alarms()
    while detection.drain(now=now, policy=DetectionPolicy()).sensors:
        pass
    while validation.validate_due(now=now):
        pass
    placing.place_due(now=now, policies=EpisodePolicies())
    for anomaly, verdict in zip(Anomaly.objects.order_by("start")[:2], VERDICTS, strict=False):
        review(anomaly=anomaly, verdict=verdict, note=NOTE, person=person, now=now)


VERDICTS = (Verdict.CONFIRMED, Verdict.FALSE_POSITIVE)
NOTE = "Bearing was dry on the drive end; greased."


def set_alarms() -> None:
    """Alarm limits a third above what was usual, as an engineer would set them at first."""
    for sensor in Sensor.objects.select_related("profile"):
        sensor.alarm_high = float(np.round(sensor.profile.mean * 1.35))
        sensor.save(update_fields=["alarm_high"])


def clock() -> datetime:
    return datetime.now().astimezone() - timedelta(minutes=2)

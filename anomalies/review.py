"""What a person says about an anomaly, and what the sensor's profile learns from it."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from anomalies import exclusions, profiles
from anomalies.models import Anomaly, Review, Verdict
from sensors.models import Sensor


@transaction.atomic
def review(*, anomaly: Anomaly, verdict: Verdict, note: str, person: User, now: datetime) -> Review:
    """Store a verdict. The newest of an anomaly is the one that counts, whoever gave it.

    Later anomalies of the sensor are judged by it; those judged already stay as they are. What was
    measured during a confirmed fault is learnt from no more.
    """
    # One at a time a sensor: its profile is counted anew from all of its verdicts.
    sensor = Sensor.objects.select_for_update(of=("self",)).get(anomalies=anomaly.pk)
    locked = Anomaly.objects.select_for_update().get(pk=anomaly.pk)
    locked.verdict, locked.reviewed_at, locked.sensor = verdict, now, sensor
    locked.save(update_fields=["verdict", "reviewed_at"])
    profiles.refresh(locked, now=now)
    exclusions.settle(locked, now=now)
    # It counts as evidence or no more; so do those that are reviewed with it.
    told = Q(pk=anomaly.pk) | Q(follows=anomaly.pk)
    Anomaly.objects.filter(told).update(episode_due_at=now)
    anomaly.verdict, anomaly.reviewed_at = verdict, now
    return Review.objects.create(
        anomaly=anomaly, verdict=verdict, note=note, person=person, created_at=now
    )

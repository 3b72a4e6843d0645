"""What a person says about an anomaly, and what the sensor's profile learns from it."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q

from anomalies.models import Anomaly, Review, SensorValidationProfile, Verdict

# Unsure says nothing about the sensor.
COUNTS = {Verdict.CONFIRMED: "confirmed", Verdict.FALSE_POSITIVE: "refuted"}


@transaction.atomic
def review(*, anomaly: Anomaly, verdict: Verdict, note: str, person: User, now: datetime) -> Review:
    """Store a verdict. The newest of an anomaly is the one that counts, whoever gave it.

    Later anomalies of the sensor are judged by it; those judged already stay as they are.
    """
    locked = Anomaly.objects.select_for_update().only("verdict", "sensor").get(pk=anomaly.pk)
    _move_count(locked.sensor_id, before=locked.verdict, after=verdict, now=now)
    Anomaly.objects.filter(pk=anomaly.pk).update(verdict=verdict)
    # It counts as evidence or no more; so do those that are reviewed with it.
    told = Q(pk=anomaly.pk) | Q(follows=anomaly.pk)
    Anomaly.objects.filter(told).update(episode_due_at=now)
    anomaly.verdict = verdict
    return Review.objects.create(
        anomaly=anomaly, verdict=verdict, note=note, person=person, created_at=now
    )


def _move_count(sensor_id: int, *, before: str, after: str, now: datetime) -> None:
    """An anomaly counts once in its sensor's profile, where its newest verdict puts it."""
    if before == after:
        return
    SensorValidationProfile.objects.get_or_create(sensor_id=sensor_id, defaults={"updated_at": now})
    steps = {COUNTS[Verdict(v)]: n for v, n in ((before, -1), (after, 1)) if v in COUNTS}
    SensorValidationProfile.objects.filter(sensor=sensor_id).update(
        updated_at=now, **{name: F(name) + step for name, step in steps.items()}
    )

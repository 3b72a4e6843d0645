"""Whether a window hides an anomaly. Limits that people set are never hidden."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from anomalies.models import Anomaly, HiddenAnomaly, WindowOccurrence
from mlops.detectors import limits
from sensors.models import Reading


def hiding(anomaly: Anomaly) -> WindowOccurrence | None:
    """The occurrence that an anomaly lies within as a whole; None for one that is past a limit.

    What goes on after the window is no longer hidden: the work is done and the fault is not.
    """
    sensor = anomaly.sensor
    rows = WindowOccurrence.objects.filter(
        Q(window__asset__isnull=True) | Q(window__asset=sensor.asset_id),
        Q(window__kind="") | Q(window__kind=sensor.kind),
        window__site=sensor.site_id,
        start__lte=anomaly.start,
        end__gte=anomaly.end,
    )
    found: WindowOccurrence | None = rows.order_by("start", "pk").first()
    return None if found is None or is_past_a_limit(anomaly) else found


def is_past_a_limit(anomaly: Anomaly) -> bool:
    """Whether any of its readings crossed a physical or an alarm limit of its sensor."""
    if anomaly.detector == limits.NAME:
        return True
    sensor = anomaly.sensor
    beyond = Q(pk__in=[])
    for low in (sensor.physical_min, sensor.alarm_low):
        beyond |= Q(value__lt=low) if low is not None else Q(pk__in=[])
    for high in (sensor.physical_max, sensor.alarm_high):
        beyond |= Q(value__gt=high) if high is not None else Q(pk__in=[])
    inside = Reading.objects.filter(
        sensor=sensor.pk, time__gte=anomaly.start, time__lte=anomaly.end
    )
    return inside.filter(beyond).exists()


def hide(anomaly: Anomaly, occurrence: WindowOccurrence, *, now: datetime) -> None:
    """Write it down; once, however often it is looked at."""
    HiddenAnomaly.objects.update_or_create(
        occurrence=occurrence,
        anomaly=anomaly,
        defaults={"surfaced_at": None},
        create_defaults={"at": now},
    )


def surface(anomaly: Anomaly, *, now: datetime) -> None:
    """It counts after all."""
    HiddenAnomaly.objects.filter(anomaly=anomaly, surfaced_at__isnull=True).update(surfaced_at=now)

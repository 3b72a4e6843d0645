"""What production does with readings, without its processes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from anomalies import detection
from anomalies.detection_policy import DetectionPolicy
from sensors.models import Reading, ScoringNote, Sensor


def commit(sensor: Sensor, times: Sequence[datetime], values: Iterable[float]) -> None:
    """Readings with their note, as acquisition commits them; what is there already stays."""
    Reading.objects.bulk_create(
        [
            Reading(sensor=sensor, time=time, value=value, quality=1.0)
            for time, value in zip(times, values, strict=True)
        ],
        ignore_conflicts=True,
    )
    ScoringNote.objects.create(sensor=sensor, since=min(times), until=max(times))


def drain(*, now: datetime, policy: DetectionPolicy) -> None:
    """Score until no note is open."""
    while detection.drain(now=now, policy=policy).sensors:
        pass

"""The signals that run against the import order; their receivers enqueue, or answer."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.conf import settings
from django.dispatch import receiver

from anomalies import exclusions, tasks
from mlops.signals import champion_changed, faults_known
from sensors.signals import readings_ingested
from smartmaint.lib.waker import Waker

_waker = Waker(tasks.wake_detection)


@receiver(readings_ingested)
def wake_detection(**_: Any) -> None:
    """A web process tells Redis beside the request, whose readings are stored already; should it
    end before, the next sweep does that work."""
    if settings.DB_POOL:
        _waker.ask()
    else:
        tasks.wake_detection()


@receiver(champion_changed)
def wake_sweep(**_: Any) -> None:
    """What waits for a champion may have got it."""
    tasks.wake_sweep()


@receiver(faults_known)
def confirmed_faults(
    sensor_ids: Collection[int], **_: Any
) -> dict[int, list[tuple[datetime, datetime]]]:
    """What people confirmed."""
    return exclusions.of_sensors(sensor_ids)

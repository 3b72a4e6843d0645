"""The signals that run against the import order; their receivers only enqueue."""

from typing import Any

from django.dispatch import receiver

from anomalies import tasks
from mlops.signals import champion_changed
from sensors.signals import readings_ingested


@receiver(readings_ingested)
def wake_detection(**_: Any) -> None:
    tasks.wake_detection()


@receiver(champion_changed)
def wake_sweep(**_: Any) -> None:
    """What waits for a champion may have got it."""
    tasks.wake_sweep()

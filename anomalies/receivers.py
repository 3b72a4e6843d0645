"""The one signal that runs against the import order; its receiver only enqueues."""

from typing import Any

from django.dispatch import receiver

from anomalies import tasks
from sensors.signals import readings_ingested


@receiver(readings_ingested)
def wake_detection(**_: Any) -> None:
    tasks.wake_detection()

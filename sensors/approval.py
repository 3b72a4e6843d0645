"""A person's yes to a discovered sensor: it is active, and what it sent meanwhile is accepted."""

from __future__ import annotations

from datetime import datetime

from sensors import quarantine
from sensors.acquisition import Receipt
from sensors.directory import AWAITING
from sensors.models import QuarantinedReading, Sensor


class Retired(Exception):
    """A retired sensor is not approved by the way; who wants it back sets its status."""


def approve(sensor: Sensor, *, now: datetime) -> Receipt:
    """Activate a sensor and try again what waits for that; what became of it.

    Repeating it changes nothing; killed half way, repeating it does the rest. Raises Retired.
    """
    waiting = Sensor.objects.filter(pk=sensor.pk, status=Sensor.Status.DISCOVERED)
    if not waiting.update(status=Sensor.Status.ACTIVE):
        sensor.refresh_from_db(fields=["status"])
        if sensor.status == Sensor.Status.RETIRED:
            raise Retired
    sensor.status = Sensor.Status.ACTIVE
    rows = QuarantinedReading.objects.waiting().filter(
        site=sensor.site_id, sensor_ref=sensor.external_id, code=AWAITING.code
    )
    total, last = Receipt(), 0
    while part := list(rows.filter(pk__gt=last).order_by("pk")[: quarantine.REPLAY_CHUNK]):
        total, last = total + quarantine.replay(part, now=now), part[-1].pk
    return total

"""Who scores which sensor, and who looks for silent ones."""

from django.db import models

from anomalies.models.choices import Rung
from anomalies.querysets import DetectionLeaseQuerySet
from sensors.models import Sensor


class DetectionLease(models.Model):
    """Who scores a sensor just now. The token fences: a lease that was lost cannot commit."""

    sensor = models.OneToOneField(
        Sensor, on_delete=models.CASCADE, primary_key=True, related_name="detection"
    )
    token = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0, help_text="Failures since the last success.")
    rung = models.CharField(max_length=12, choices=Rung.choices, blank=True)
    rung_reason = models.CharField(max_length=200, blank=True, help_text="Why not a higher rung.")
    scored_until = models.DateTimeField(null=True)
    scored_at = models.DateTimeField(null=True)

    objects = DetectionLeaseQuerySet.as_manager()

    def __str__(self) -> str:
        return f"detection of sensor {self.sensor_id}"


class SilenceWatch(models.Model):
    """One row: since when the sweep has looked for silence without a break, and who looks now.

    While nobody looked nobody can say who was silent: after a stop of the whole system its sensors
    are given their patience once more.
    """

    since = models.DateTimeField()
    seen = models.DateTimeField()

    def __str__(self) -> str:
        return f"watched from {self.since} to {self.seen}"

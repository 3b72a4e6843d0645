"""What people said about an anomaly."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from anomalies.models.anomaly import Anomaly
from anomalies.models.choices import Verdict
from sensors.models import Sensor


class Review(models.Model):
    """What a person said about an anomaly. Reviews are kept; the newest one counts."""

    anomaly = models.ForeignKey(Anomaly, on_delete=models.CASCADE, related_name="reviews")
    verdict = models.CharField(max_length=14, choices=Verdict.choices)
    note = models.TextField(blank=True, max_length=4000)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["anomaly", "-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.person}"


class FaultPeriod(models.Model):
    """When a sensor measured a fault that a person confirmed: nothing is learnt from its readings.

    As long as the anomaly was when it was last looked at (anomalies.exclusions): it stays as it is
    while detection goes on, so that what detection finds follows from what is stored.
    """

    anomaly = models.OneToOneField(Anomaly, on_delete=models.CASCADE, related_name="fault_period")
    sensor = models.ForeignKey(Sensor, on_delete=models.CASCADE, related_name="fault_periods")
    since = models.DateTimeField(help_text="Event time of the first reading that is left out.")
    until = models.DateTimeField(help_text="Event time of the last reading that is left out.")
    noted_at = models.DateTimeField()

    class Meta:
        ordering = ["sensor", "since"]
        constraints = [
            models.CheckConstraint(
                condition=Q(since__lte=F("until")), name="fault_period_since_until"
            ),
        ]
        indexes = [
            # Every pass of detection asks for those of a sensor that reach into a stretch.
            models.Index(fields=["sensor", "until"], name="fault_period_sensor_until"),
        ]

    def __str__(self) -> str:
        return (
            f"sensor {self.sensor_id}, {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}"
        )

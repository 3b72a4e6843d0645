"""What people said about an anomaly."""

from django.conf import settings
from django.db import models

from anomalies.models.anomaly import Anomaly
from anomalies.models.choices import Verdict


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

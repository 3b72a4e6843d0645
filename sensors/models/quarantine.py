"""What could not be accepted."""

from django.db import models

from sensors.models.place import Site
from sensors.models.sensor import MAX_EXTERNAL_ID
from sensors.querysets import QuarantineQuerySet


class QuarantinedReading(models.Model):
    """A reading that could not be accepted: kept with its reason, replayable after a fix."""

    class Category(models.TextChoices):
        VALIDATION = "validation"
        ENRICHMENT = "enrichment"
        QUALITY = "quality"
        UNEXPECTED = "unexpected"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="quarantine")
    key = models.ForeignKey("IngestKey", on_delete=models.SET_NULL, null=True, blank=True)
    sensor_ref = models.CharField(max_length=MAX_EXTERNAL_ID, blank=True)
    category = models.CharField(max_length=10, choices=Category.choices)
    code = models.CharField(max_length=40)
    detail = models.CharField(max_length=500)
    # Text, not jsonb: a quarantined row may hold NaN, NUL or lone surrogates, which jsonb refuses.
    payload = models.TextField(help_text="The row as it came, as ASCII JSON.")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of code, source and payload.")
    source = models.CharField(max_length=20)
    received_at = models.DateTimeField()
    replayed_at = models.DateTimeField(null=True, blank=True)

    objects = QuarantineQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            # A batch sent twice quarantines its bad rows once.
            models.UniqueConstraint(fields=["site", "digest"], name="quarantined_once"),
        ]
        indexes = [
            # The admin lists what waits; retention removes what is old.
            models.Index(fields=["site", "replayed_at", "-received_at"], name="quarantine_waiting"),
            # A sensor's quality counts what came for it; its approval replays what waited.
            models.Index(
                fields=["site", "sensor_ref", "-received_at"], name="quarantine_of_sensor"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.sensor_ref or 'no sensor given'}"

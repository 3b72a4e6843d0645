"""Where two values were sent for one time."""

from django.db import models

from sensors.models.key import IngestKey
from sensors.models.sensor import Sensor
from sensors.querysets import ReadingConflictQuerySet


class ReadingConflict(models.Model):
    """A second value for a (sensor, time): which one stands and which does not.

    Each pair of values is written down once, so a batch that is sent again adds nothing.
    """

    class Resolution(models.TextChoices):
        KEEP_FIRST = "keep_first", "the first was kept"
        KEEP_LAST = "keep_last", "the last was kept"
        QUARANTINE = "quarantine", "the second is in quarantine"

    sensor = models.ForeignKey(
        Sensor, on_delete=models.CASCADE, related_name="conflicts", db_index=False
    )
    time = models.DateTimeField(help_text="Event time of both (UTC).")
    kept = models.FloatField(help_text="What stands, in the sensor's unit.")
    other = models.FloatField(help_text="What does not, in the sensor's unit.")
    resolution = models.CharField(max_length=10, choices=Resolution.choices)
    key = models.ForeignKey(
        IngestKey, on_delete=models.SET_NULL, null=True, blank=True, help_text="Whose was second."
    )
    source = models.CharField(max_length=20)
    received_at = models.DateTimeField()

    objects = ReadingConflictQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["sensor", "time", "kept", "other"], name="conflict_recorded_once"
            ),
        ]
        indexes = [
            # The admin lists the newest; retention removes what is old.
            models.Index(fields=["-received_at", "-id"], name="conflict_newest"),
        ]

    def __str__(self) -> str:
        return f"sensor {self.sensor_id} at {self.time:%Y-%m-%d %H:%M:%S}: {self.kept:g}"

"""What was dropped because it was old."""

from django.db import models


class RetentionRun(models.Model):
    """What one run of the retention dropped."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(auto_now_add=True)
    readings = models.BigIntegerField(help_text="Readings deleted one by one.")
    chunks = models.IntegerField(help_text="Chunks of the hypertable, with all their readings.")
    bytes = models.BigIntegerField(help_text="Size of these chunks.")
    minute_hours = models.BigIntegerField(help_text="Hours of minute roll-ups.")
    held = models.IntegerField(help_text="Sensors of which open notes held back a part.")

    class Meta:
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}: {self.readings} readings, {self.chunks} chunks"

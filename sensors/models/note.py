"""What is still to be done: durable notes, written with the readings."""

from django.db import models

from sensors.models.sensor import Sensor
from sensors.querysets import ScoringNoteQuerySet


class ScoringNote(models.Model):
    """A durable note, written with the readings: this sensor needs scoring from `since` on.

    Append-only, so writers never wait for each other, and without a foreign-key constraint, which
    would lock the rows of all sensors of a batch; detection takes all notes of a sensor it has
    leased and deletes exactly those in the transaction that stores what it found.
    """

    class Reason(models.TextChoices):
        INGEST = "ingest", "new readings"
        DEGRADED = "degraded", "scored by a lower rung; the champion is to score it again"
        MODEL = "model", "another model was promoted"
        STATE = "state", "the machine's operating state was tagged"
        VERDICT = "verdict", "a fault was confirmed, or is none any more"
        MANUAL = "manual", "asked for by a person"

    sensor = models.ForeignKey(
        Sensor, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    since = models.DateTimeField(help_text="Event time of the oldest reading to score.")
    until = models.DateTimeField(help_text="Event time of the newest reading to score.")
    reason = models.CharField(max_length=10, choices=Reason.choices, default=Reason.INGEST)
    held = models.BooleanField(default=False, help_text="Waits until the champion is back.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScoringNoteQuerySet.as_manager()

    class Meta:
        indexes = [
            # Detection looks for sensors with notes that may be worked on, pages for all of one's.
            models.Index(fields=["sensor", "held", "id"], name="scoring_note_waiting"),
        ]

    def __str__(self) -> str:
        return f"score sensor {self.sensor_id} from {self.since:%Y-%m-%d %H:%M:%S}"


class RollupNote(models.Model):
    """A durable note, written with the readings: these minutes of the roll-ups are to be computed.

    Append-only like a ScoringNote, and without a foreign-key constraint: a roll-up pass takes all
    notes of a sensor it has locked and deletes exactly those with what it computed.
    """

    sensor = models.ForeignKey(
        Sensor, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    since = models.DateTimeField(help_text="Event time of the oldest reading.")
    until = models.DateTimeField(help_text="Event time of the newest reading.")

    class Meta:
        indexes = [
            # A pass takes a sensor's notes; a chart looks for those of its sensor.
            models.Index(fields=["sensor", "id"], name="rollup_note_waiting"),
        ]

    def __str__(self) -> str:
        return f"roll up sensor {self.sensor_id} from {self.since:%Y-%m-%d %H:%M:%S}"

"""What is wrong with one sensor, and how that changed after the fact."""

from django.db import models
from django.db.models import F, Q

from anomalies import predicted, silence
from anomalies.models.choices import (
    Decision,
    Nature,
    NatureSort,
    PublishedStatus,
    Rung,
    Verdict,
)
from anomalies.querysets import AnomalyQuerySet
from sensors.models import Asset, Sensor

LEVELS = [("sensor", "sensor"), ("asset", "asset")]


class Anomaly(models.Model):
    """A range of consecutive anomalous readings, of one sensor or of a machine's sensors together.
    Withdrawn, never deleted."""

    id = models.BigAutoField(primary_key=True)
    sensor = models.ForeignKey(
        Sensor,
        on_delete=models.CASCADE,
        related_name="anomalies",
        help_text="Of a machine's: the one that shows most.",
    )
    asset = models.ForeignKey(
        Asset,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="anomalies",
        help_text="The machine whose sensors were judged together; empty: one sensor was.",
    )
    start = models.DateTimeField(help_text="Event time of the first anomalous reading.")
    peak = models.DateTimeField(help_text="Event time of the highest score.")
    end = models.DateTimeField(help_text="Event time of the last anomalous reading.")
    is_open = models.BooleanField(
        default=False, help_text="A silence that goes on; its end is when it was last judged."
    )
    follows = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="followers",
        help_text="The anomaly of another sensor that is reviewed for both: one cause.",
    )
    readings = models.PositiveIntegerField(help_text="Readings from start to end.")
    score = models.FloatField(help_text="Score at the peak, 0 to 1, higher is rarer.")
    severity = models.PositiveSmallIntegerField(help_text="1 to 5.")
    nature = models.CharField(max_length=10, choices=Nature.choices)
    nature_sort = models.CharField(
        "fault", max_length=12, choices=NatureSort.choices, blank=True, default=""
    )
    nature_reason = models.CharField(
        max_length=300, blank=True, default="", help_text="What shows it, in words."
    )
    routing_due_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when it is to be decided whose fault it is."
    )
    routed_at = models.DateTimeField(null=True, blank=True)
    routed_since = models.DateTimeField(
        null=True, blank=True, help_text="First event time that counted; empty: all before."
    )
    routed_until = models.DateTimeField(
        null=True, blank=True, help_text="Last event time that counted; empty: all to come."
    )
    excursion = models.JSONField(
        null=True,
        blank=True,
        help_text="How the value went away and came back, as far as readings have come.",
    )
    detector = models.CharField(max_length=60)
    model_name = models.CharField(max_length=200, blank=True)
    model_version = models.PositiveIntegerField(null=True, blank=True)
    rung = models.CharField(max_length=12, choices=Rung.choices)
    observed = models.FloatField(help_text="Value at the peak, in the sensor's unit.")
    expected_low = models.FloatField(null=True, help_text="In the sensor's unit.")
    expected_high = models.FloatField(null=True, help_text="In the sensor's unit.")
    explanation = models.JSONField(help_text="Parts of the score and the sentence made from them.")
    receipt = models.JSONField(help_text="All that is needed to compute the score again.")

    validation_due_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=30, choices=Decision.choices, blank=True)
    status = models.CharField(max_length=30, choices=PublishedStatus.choices, blank=True)
    confidence = models.FloatField(null=True, blank=True)
    verdict = models.CharField(max_length=14, choices=Verdict.choices, blank=True)
    reviewed_at = models.DateTimeField(
        null=True, blank=True, help_text="When the verdict that counts was given."
    )

    episode = models.ForeignKey(
        "anomalies.Episode",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="anomalies",
        help_text="The case it is evidence of.",
    )
    episode_due_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when its episode waits to be looked at."
    )

    revision = models.PositiveIntegerField(default=1)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    detected_at = models.DateTimeField(help_text="When it was first written (processing time).")
    updated_at = models.DateTimeField()

    objects = AnomalyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "anomalies"
        ordering = ["-start", "-id"]
        constraints = [
            # Two writers that find the same range cannot both store it. A silence is no range of
            # readings: one may be due at the very time of a reading that comes late and is odd. Nor
            # is a prediction: there is one for each limit (PredictedCrossing).
            models.UniqueConstraint(
                fields=["sensor", "start"],
                condition=Q(withdrawn_at__isnull=True, asset__isnull=True)
                & ~Q(detector__in=[silence.DETECTOR, predicted.DETECTOR]),
                name="anomaly_once_per_start",
            ),
            # Judging a machine looks for those that begin, or end, in a range.
            models.UniqueConstraint(
                fields=["asset", "start"],
                condition=Q(withdrawn_at__isnull=True, asset__isnull=False),
                name="machine_anomaly_once_per_start",
            ),
            models.UniqueConstraint(
                fields=["sensor", "start"],
                condition=Q(withdrawn_at__isnull=True, detector=silence.DETECTOR),
                name="silence_once_per_start",
            ),
            # Two sweeps cannot both find a sensor silent. The sweep looks at what is open.
            models.UniqueConstraint(
                fields=["sensor"],
                condition=Q(withdrawn_at__isnull=True, is_open=True),
                name="anomaly_one_open",
            ),
            models.CheckConstraint(condition=Q(score__range=(0, 1)), name="anomaly_score_0_to_1"),
            models.CheckConstraint(
                condition=Q(start__lte=F("peak"), peak__lte=F("end")), name="anomaly_start_peak_end"
            ),
            models.CheckConstraint(
                condition=Q(severity__range=(1, 5)), name="anomaly_severity_1_to_5"
            ),
        ]
        indexes = [
            # Detection looks for what overlaps a re-scored range.
            models.Index(fields=["sensor", "end"], name="anomaly_sensor_end"),
            # The validation agent takes what waits.
            models.Index(
                fields=["validation_due_at"],
                condition=Q(validation_due_at__isnull=False),
                name="anomaly_validation_due",
            ),
            # Routing takes what waits.
            models.Index(
                fields=["routing_due_at"],
                condition=Q(routing_due_at__isnull=False),
                name="anomaly_routing_due",
            ),
            # New readings of a machine's sensors look for anomalies that they may put down to
            # another cause.
            models.Index(fields=["sensor", "routed_until"], name="anomaly_routed_until"),
            # What changes an episode.
            models.Index(
                fields=["episode_due_at"],
                condition=Q(episode_due_at__isnull=False),
                name="anomaly_episode_due",
            ),
            # What people said of a sensor's anomalies before.
            models.Index(
                fields=["sensor", "-reviewed_at"],
                condition=Q(reviewed_at__isnull=False),
                name="anomaly_reviewed",
            ),
            # The review list, newest first.
            models.Index(fields=["-start", "-id"], name="anomaly_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.sensor} {self.start:%Y-%m-%d %H:%M}"

    @property
    def level(self) -> str:
        """What was judged: `sensor`, or `asset` for a machine's sensors together."""
        return "sensor" if self.asset_id is None else "asset"

    @property
    def sentence(self) -> str:
        """The explanation in words, with what says whose fault it is."""
        told = str(self.explanation.get("sentence", ""))
        if not told or not self.nature_reason:
            return told
        who = "The sensor" if self.nature == Nature.INSTRUMENT else "The machine"
        named = self.get_nature_sort_display()
        return f"{told} {who} is at fault ({named}): {self.nature_reason}."


class PredictedCrossing(models.Model):
    """The prediction that stands for a limit of a sensor: one at most, moved by newer forecasts."""

    sensor = models.ForeignKey(Sensor, on_delete=models.CASCADE, related_name="predictions")
    limit = models.CharField(max_length=20, help_text="alarm_high or alarm_low.")
    anomaly = models.OneToOneField(Anomaly, on_delete=models.CASCADE, related_name="predicts")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sensor", "limit"], name="prediction_once_per_limit"),
        ]

    def __str__(self) -> str:
        return f"{self.limit} of sensor {self.sensor_id}"


class AnomalyRevision(models.Model):
    """The trace of a change after the fact: late readings, another model, a withdrawal."""

    anomaly = models.ForeignKey(Anomaly, on_delete=models.CASCADE, related_name="revisions")
    revision = models.PositiveIntegerField()
    reason = models.CharField(max_length=100)
    before = models.JSONField()
    after = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["anomaly", "revision"]
        constraints = [
            models.UniqueConstraint(fields=["anomaly", "revision"], name="revision_once"),
        ]

    def __str__(self) -> str:
        return f"revision {self.revision} of anomaly {self.anomaly_id}"

"""What is wrong, why we think so, how sure we are, and what people said about it."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from anomalies import rules, silence
from anomalies.querysets import AnomalyQuerySet, DetectionLeaseQuerySet, ValidationQuerySet
from sensors.models import KIND_CHOICES, Sensor, Site


class Rung(models.TextChoices):
    """The ladder, lowest first. An anomaly records the rung that gave its peak score."""

    LIMITS = "limits"
    STATISTICAL = "statistical"
    LOCAL = "local"
    CHAMPION = "champion"


class Nature(models.TextChoices):
    INSTRUMENT = "instrument", "the sensor"
    MACHINE = "machine", "the machine"


class Decision(models.TextChoices):
    CREDIBLE = "credible_anomaly"
    FALSE_POSITIVE = "false_positive_suspected"
    INVESTIGATE = "further_investigation_needed"
    INSUFFICIENT = "insufficient_data"
    ERROR = "validation_error"


class PublishedStatus(models.TextChoices):
    """What readers are told; the last two decisions publish as further investigation."""

    CREDIBLE = "credible_anomaly"
    FALSE_POSITIVE = "false_positive_suspected"
    INVESTIGATE = "further_investigation_needed"


class Verdict(models.TextChoices):
    CONFIRMED = "confirmed"
    FALSE_POSITIVE = "false_positive"
    UNSURE = "unsure"


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


class Anomaly(models.Model):
    """A range of consecutive anomalous readings of one sensor. Withdrawn, never deleted."""

    id = models.BigAutoField(primary_key=True)
    sensor = models.ForeignKey(Sensor, on_delete=models.CASCADE, related_name="anomalies")
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
            # readings: one may be due at the very time of a reading that comes late and is odd.
            models.UniqueConstraint(
                fields=["sensor", "start"],
                condition=Q(withdrawn_at__isnull=True) & ~Q(detector=silence.DETECTOR),
                name="anomaly_once_per_start",
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
            # The review list, newest first.
            models.Index(fields=["-start", "-id"], name="anomaly_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.sensor} {self.start:%Y-%m-%d %H:%M}"


class SilenceWatch(models.Model):
    """One row: since when the sweep has looked for silence without a break, and who looks now.

    While nobody looked nobody can say who was silent: after a stop of the whole system its sensors
    are given their patience once more.
    """

    since = models.DateTimeField()
    seen = models.DateTimeField()

    def __str__(self) -> str:
        return f"watched from {self.since} to {self.seen}"


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


class Validation(models.Model):
    """One judgement of the validation agent. The newest of an anomaly is the one in force."""

    anomaly = models.ForeignKey(Anomaly, on_delete=models.CASCADE, related_name="validations")
    revision = models.PositiveIntegerField(help_text="The anomaly's revision that was judged.")
    decision = models.CharField(max_length=30, choices=Decision.choices)
    status = models.CharField(max_length=30, choices=PublishedStatus.choices)
    confidence = models.FloatField(help_text="0 to 1.")
    terms = models.JSONField(help_text="Each contribution to the confidence, with its reason.")
    policy = models.JSONField()
    validated_at = models.DateTimeField()

    objects = ValidationQuerySet.as_manager()

    class Meta:
        ordering = ["anomaly", "-validated_at", "-id"]

    def __str__(self) -> str:
        return f"{self.decision} ({self.confidence:.2f})"


class SensorValidationProfile(models.Model):
    """What people said about a sensor's anomalies, as the counts of a Beta posterior."""

    sensor = models.OneToOneField(
        Sensor, on_delete=models.CASCADE, primary_key=True, related_name="validation_profile"
    )
    confirmed = models.PositiveIntegerField(default=0)
    refuted = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.confirmed} confirmed, {self.refuted} refuted"


class ValidationRule(models.Model):
    """A rule as a row: where its conditions hold it adjusts the confidence or forces a decision."""

    name = models.CharField(max_length=100)
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, null=True, blank=True, help_text="Empty: every site."
    )
    kind = models.CharField(
        max_length=20, choices=KIND_CHOICES, blank=True, help_text="Empty: every kind."
    )
    conditions = models.JSONField(
        help_text='All must hold, e.g. [{"field": "value_delta_pct", "op": ">", "value": 50}].'
    )
    adjustment = models.FloatField(default=0.0, help_text="-1 to 1, added to the confidence.")
    forced_decision = models.CharField(max_length=30, choices=Decision.choices, blank=True)
    priority = models.PositiveSmallIntegerField(default=100, help_text="Lower is applied first.")
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["priority", "name"]
        constraints = [
            # Rules for every site (NULL) count as of one site.
            models.UniqueConstraint(
                fields=["site", "name"], name="rule_name_unique_in_site", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(adjustment__range=(-1, 1)), name="rule_adjustment_within_1"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            self.parsed()
        except rules.RuleError as error:
            raise ValidationError(str(error)) from error

    def parsed(self) -> rules.Rule:
        """The rule as a value. Raises rules.RuleError when the row holds none."""
        return rules.parse(
            name=self.name,
            conditions=self.conditions,
            adjustment=self.adjustment,
            forced_decision=self.forced_decision,
        )


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

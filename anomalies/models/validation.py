"""How sure the validation agent is of an anomaly, and by which rules."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from anomalies import rules
from anomalies.models.anomaly import Anomaly
from anomalies.models.choices import Decision, PublishedStatus
from anomalies.querysets import CalibrationQuerySet, ValidationQuerySet
from sensors.models import KIND_CHOICES, Sensor, Site


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
    took_ms = models.FloatField(null=True, blank=True, help_text="From loading to the decision.")

    objects = ValidationQuerySet.as_manager()

    class Meta:
        ordering = ["anomaly", "-validated_at", "-id"]
        indexes = [
            # /metrics counts those of the last day.
            models.Index(fields=["validated_at"], name="validation_at"),
        ]

    def __str__(self) -> str:
        return f"{self.decision} ({self.confidence:.2f})"


class SensorValidationProfile(models.Model):
    """What people said about what a detector found on a sensor: counts of a Beta posterior.

    Verdicts fade (anomalies.credibility): the counts are those of `updated_at`.
    """

    sensor = models.ForeignKey(
        Sensor, on_delete=models.CASCADE, related_name="validation_profiles", db_index=False
    )
    kind = models.CharField(max_length=20, choices=KIND_CHOICES, help_text="Of the sensor.")
    detector = models.CharField(max_length=60)
    confirmed = models.FloatField(default=0.0, help_text="Verdicts, as far as they still count.")
    refuted = models.FloatField(default=0.0, help_text="Verdicts, as far as they still count.")
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["sensor", "detector"]
        constraints = [
            models.UniqueConstraint(
                fields=["sensor", "kind", "detector"], name="profile_once_per_detector"
            ),
        ]
        indexes = [
            # What is known of a kind is looked up for each anomaly.
            models.Index(fields=["kind", "detector"], name="profile_of_kind"),
        ]

    def __str__(self) -> str:
        said = f"{self.confirmed:.1f} confirmed, {self.refuted:.1f} refuted"
        return f"{self.detector}: {said}"


class Calibration(models.Model):
    """Thresholds that verdicts moved, for one sensor or for a kind at a site.

    The newest of its scope that is not reverted is in force; reverting it leaves the one before.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="calibrations")
    kind = models.CharField(max_length=20, choices=KIND_CHOICES)
    sensor = models.ForeignKey(
        Sensor,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="calibrations",
        help_text="Empty: every sensor of the kind at the site.",
    )
    false_positive_threshold = models.FloatField(help_text="0 to 1.")
    credible_threshold = models.FloatField(help_text="0 to 1.")
    before = models.JSONField(help_text="The thresholds that it replaced.")
    report = models.JSONField(help_text="What it changes on the verdicts that were held back.")
    newest_verdict_at = models.DateTimeField(help_text="Of the verdicts that it is made from.")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField()
    reverted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reverted_at = models.DateTimeField(null=True, blank=True)

    objects = CalibrationQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(false_positive_threshold__range=(0, 1))
                & Q(credible_threshold__range=(0, 1))
                & Q(false_positive_threshold__lte=F("credible_threshold")),
                name="calibration_thresholds_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sensor or self.kind} from {self.made_at:%Y-%m-%d %H:%M}"


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

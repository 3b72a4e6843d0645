"""How sure the validation agent is of an anomaly, and by which rules."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from anomalies import rules
from anomalies.models.anomaly import Anomaly
from anomalies.models.choices import Decision, PublishedStatus
from anomalies.querysets import ValidationQuerySet
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

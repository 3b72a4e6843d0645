"""Anomalies as JSON: values and bands in `unit`, times are event times unless named `…ed_at`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from anomalies.models import (
    Anomaly,
    AnomalyRevision,
    PublishedStatus,
    Review,
    Validation,
    Verdict,
)
from anomalies.models.anomaly import LEVELS

NOTE_LENGTH = 4000


class OrNull(serializers.ChoiceField):
    """A choice that is null while nothing was chosen; the column holds an empty string then."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, allow_null=True, read_only=True, **kwargs)

    def to_representation(self, value: Any) -> Any:
        return super().to_representation(value) if value else None


class SensorOfAnomaly(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    external_id = serializers.CharField()
    kind = serializers.CharField()
    site = serializers.CharField(source="site.slug")


class AssetOfAnomaly(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    criticality = serializers.IntegerField(help_text="1 to 5.")


class AnomalyInList(serializers.ModelSerializer[Anomaly]):
    sensor = SensorOfAnomaly(read_only=True)
    asset = AssetOfAnomaly(source="sensor.asset", read_only=True, allow_null=True)
    level = serializers.ChoiceField(
        LEVELS, read_only=True, help_text="`asset`: its sensors were judged together."
    )
    unit = serializers.CharField(source="sensor.unit", read_only=True)
    sentence = serializers.CharField(help_text="The explanation in words.", read_only=True)
    decision = OrNull(Validation._meta.get_field("decision").choices)
    status = OrNull(PublishedStatus.choices, help_text="Null until validated.")
    verdict = OrNull(Verdict.choices, help_text="The newest review's; null without one.")

    class Meta:
        model = Anomaly
        fields = [
            "id", "sensor", "asset", "level", "start", "peak", "end", "is_open", "follows",
            "readings", "score", "severity", "nature", "nature_sort", "nature_reason", "detector",
            "model_name", "model_version", "rung", "observed", "expected_low", "expected_high",
            "unit", "sentence", "decision", "status", "confidence", "verdict", "revision",
            "detected_at", "updated_at", "withdrawn_at",
        ]  # fmt: skip


class TermOfConfidence(serializers.Serializer[Any]):
    source = serializers.CharField(  # type: ignore[assignment]  # a field of that name
        help_text="detector, rules, history, profile, clamp or error."
    )
    name = serializers.CharField()
    value = serializers.FloatField(help_text="Added to the confidence.")
    reason = serializers.CharField()


class ValidationInDetail(serializers.ModelSerializer[Validation]):
    terms = TermOfConfidence(many=True, help_text="Their values add up to the confidence.")

    class Meta:
        model = Validation
        fields = ["decision", "status", "confidence", "terms", "policy", "revision", "validated_at"]


class ReviewOut(serializers.ModelSerializer[Review]):
    person = serializers.CharField(source="person.get_username", read_only=True)

    class Meta:
        model = Review
        fields = ["id", "verdict", "note", "person", "created_at"]


class ReviewIn(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(Verdict.choices)
    note = serializers.CharField(max_length=NOTE_LENGTH, allow_blank=True, default="")


class RevisionInDetail(serializers.ModelSerializer[AnomalyRevision]):
    class Meta:
        model = AnomalyRevision
        fields = ["revision", "reason", "before", "after", "at"]


class Contribution(serializers.Serializer[Any]):
    feature = serializers.CharField(
        help_text="A feature or a view of the core (`core.…`), a sensor of the machine, the limit "
        "that was crossed (`limit.…`), `silence`, or `forecast.present` and `forecast.course`."
    )
    share = serializers.FloatField(help_text="Of the score; all shares add up to 1.")
    value = serializers.FloatField(
        allow_null=True,
        help_text="In the sensor's usual variation; in its unit for limits and forecasts; a "
        "silence in times that it was waited for.",
    )


class SilenceInExplanation(serializers.Serializer[Any]):
    last_seen = serializers.DateTimeField()
    due = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="The next reading, or when it was last judged.")
    silent_s = serializers.FloatField(help_text="Seconds from last_seen to until.")
    interval_s = serializers.FloatField(help_text="Seconds between readings, as expected.")
    interval_stated = serializers.BooleanField(help_text="By a person; else it was observed.")
    patience_s = serializers.FloatField(help_text="Seconds after which it counts as silent.")
    intervals_missed = serializers.IntegerField()


class CommonInExplanation(serializers.Serializer[Any]):
    scope = serializers.ChoiceField(["site", "asset"])
    name = serializers.CharField()
    silent = serializers.IntegerField(help_text="Sensors there that fell silent with this one.")
    of = serializers.IntegerField(help_text="Those, and the ones that were heard since.")


class SensorInMachine(serializers.Serializer[Any]):
    sensor = serializers.CharField()
    unit = serializers.CharField()
    share = serializers.FloatField(help_text="Of the score; all shares add up to 1.")
    observed = serializers.FloatField(help_text="Its recent mean.")
    expected_low = serializers.FloatField(help_text="Given the other sensors.")
    expected_high = serializers.FloatField()
    moved_at = serializers.DateTimeField(help_text="When it first had half of its part.")


class MachineInExplanation(serializers.Serializer[Any]):
    name = serializers.CharField()
    step_s = serializers.IntegerField(help_text="Seconds between the rows that were compared.")
    mean_over_s = serializers.IntegerField(help_text="Of the recent means.")
    moved_first = serializers.CharField(help_text="A sensor.")
    sensors = SensorInMachine(many=True, help_text="Largest share first.")


class Explanation(serializers.Serializer[Any]):
    sentence = serializers.CharField()
    contributions = Contribution(many=True)
    silence = SilenceInExplanation(required=False, help_text="Of silences only.")
    common = CommonInExplanation(required=False, allow_null=True)
    machine = MachineInExplanation(required=False, help_text="Of a machine's sensors together.")


@extend_schema_field(Explanation)
class ExplanationField(serializers.JSONField):
    """As detection stored it."""


class AnomalyInDetail(AnomalyInList):
    explanation = ExplanationField(read_only=True)
    receipt = serializers.DictField(read_only=True, help_text="What recomputes the score.")
    validation = serializers.SerializerMethodField(help_text="The one in force; null before it.")
    reviews = ReviewOut(many=True, read_only=True, help_text="Newest first.")
    revisions = RevisionInDetail(many=True, read_only=True, help_text="Oldest first.")

    class Meta(AnomalyInList.Meta):
        fields = [
            *AnomalyInList.Meta.fields, "explanation", "validation", "reviews", "revisions",
            "receipt",
        ]  # fmt: skip

    @extend_schema_field(ValidationInDetail(allow_null=True))
    def get_validation(self, anomaly: Anomaly) -> Any:
        newest = anomaly.validations.first()
        return ValidationInDetail(newest).data if newest else None

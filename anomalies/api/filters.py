"""What GET /api/v1/anomalies can be asked."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from rest_framework import serializers

from anomalies.models import Nature, NatureSort, PublishedStatus, Verdict
from anomalies.querysets import AnomalyQuerySet
from sensors.models import KIND_CHOICES

NONE = "none"
WITHDRAWN = ("false", "true", "all")


class AnomalyFilters(serializers.Serializer[Any]):
    """Query parameters; all that are given must hold."""

    sensor = serializers.CharField(
        max_length=200, required=False, help_text="Number, or the external id."
    )
    asset = serializers.IntegerField(required=False)
    kind = serializers.ChoiceField(KIND_CHOICES, required=False)
    status = serializers.ChoiceField(
        [*PublishedStatus.values, NONE], required=False, help_text="`none`: not validated yet."
    )
    nature = serializers.ChoiceField(
        Nature.choices,
        required=False,
        help_text="`instrument`: the queue of whoever mends sensors.",
    )
    nature_sort = serializers.ChoiceField(
        NatureSort.choices, required=False, help_text="Which fault of an instrument."
    )
    verdict = serializers.ChoiceField(
        [*Verdict.values, NONE], required=False, help_text="`none`: not reviewed yet."
    )
    open = serializers.BooleanField(
        required=False, allow_null=True, help_text="Whether it goes on: sensors silent now."
    )
    follows = serializers.CharField(
        max_length=20,
        required=False,
        help_text="Number of the anomaly that is reviewed for these; `none`: one row a cause.",
    )
    severity_min = serializers.IntegerField(min_value=1, max_value=5, required=False)
    to = serializers.DateTimeField(
        required=False, help_text="Started at or before this instant (event time)."
    )
    withdrawn = serializers.ChoiceField(
        WITHDRAWN, default="false", help_text="Whether to list what detection took back."
    )

    def validate_follows(self, value: str) -> str:
        if value != NONE and not value.isdecimal():
            raise serializers.ValidationError("A number, or `none`.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "from" in attrs and "to" in attrs and attrs["from"] > attrs["to"]:
            raise serializers.ValidationError({"from": "`from` must not be after `to`."})
        return attrs

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        since = serializers.DateTimeField(
            required=False, help_text="Ended at or after this instant (event time)."
        )
        return {**super().get_fields(), "from": since}  # a keyword cannot name an attribute


def chosen(anomalies: AnomalyQuerySet, given: dict[str, Any]) -> AnomalyQuerySet:
    """The anomalies that validated parameters ask for."""
    for name, value in given.items():
        anomalies = anomalies.filter(_condition(name, value))
    return anomalies


def _condition(name: str, value: Any) -> Q:
    match name:
        case "sensor":
            by_id = Q(sensor__external_id=value)
            return by_id | Q(sensor=int(value)) if value.isdecimal() else by_id
        case "status" | "verdict":
            return Q(**{name: "" if value == NONE else value})
        case "open":
            return Q() if value is None else Q(is_open=value)
        case "follows":
            return Q(follows__isnull=True) if value == NONE else Q(follows=int(value))
        case "from":
            return Q(end__gte=value) | Q(is_open=True)
        case "withdrawn":
            return Q() if value == "all" else Q(withdrawn_at__isnull=value == "false")
    return Q(**{LOOKUPS[name]: value})


LOOKUPS = {
    "asset": "sensor__asset",
    "kind": "sensor__kind",
    "nature": "nature",
    "nature_sort": "nature_sort",
    "severity_min": "severity__gte",
    "to": "start__lte",
}

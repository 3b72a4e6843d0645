"""What the reading endpoints of sensors can be asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rest_framework import serializers

from sensors.models import KIND_CHOICES, Sensor
from sensors.querysets import SensorQuerySet
from sensors.series import EARLIEST_DATETIME

MAX_POINTS = 5000
DEFAULT_RANGE = timedelta(days=1)
# What the store accepts; also keeps the arithmetic below from overflowing.

_LOOKUPS = {
    "kind": "kind",
    "status": "status",
    "asset": "asset",
    "search": "external_id__icontains",
}


class SensorFilters(serializers.Serializer[Any]):
    """Query parameters; all that are given must hold."""

    kind = serializers.ChoiceField(KIND_CHOICES, required=False)
    status = serializers.ChoiceField(Sensor.Status.choices, required=False)
    asset = serializers.IntegerField(required=False, help_text="Number of the machine.")
    search = serializers.CharField(
        required=False, max_length=200, help_text="Part of the external id, in any case."
    )

    def chosen(self, sensors: SensorQuerySet) -> SensorQuerySet:
        """The sensors that these parameters ask for. Raises ValidationError."""
        self.is_valid(raise_exception=True)
        given = self.validated_data.items()
        return sensors.filter(**{_LOOKUPS[name]: value for name, value in given})


class RangeFilters(serializers.Serializer[Any]):
    """From when to when, and in how many points."""

    to = serializers.DateTimeField(
        required=False, help_text="Default: the newest reading. Without a zone: UTC."
    )
    points = serializers.IntegerField(
        default=500,
        min_value=1,
        max_value=MAX_POINTS,
        help_text="More readings than this are put together in slices of time.",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        since = serializers.DateTimeField(
            required=False, help_text="Default: a day before `to`. Write + as %2B, or use Z."
        )
        return {**super().get_fields(), "from": since}  # a keyword cannot name an attribute

    def range(self, newest: datetime) -> tuple[datetime, datetime, int]:
        """since, until and number of points. Raises ValidationError."""
        self.is_valid(raise_exception=True)
        given = self.validated_data
        until = max(given.get("to", newest), EARLIEST_DATETIME + DEFAULT_RANGE)
        since = max(given.get("from", until - DEFAULT_RANGE), EARLIEST_DATETIME)
        if since > until:
            raise serializers.ValidationError({"from": "`from` must not be after `to`."})
        return since, until, given["points"]

"""The JSON of the sensors API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from sensors.kinds import KINDS, OTHER
from sensors.rows import MAX_SENSOR, MAX_UNIT


class ReadingIn(serializers.Serializer[Any]):
    """Only for the schema: rows are read by sensors.formats, not one by one."""

    sensor = serializers.CharField(max_length=MAX_SENSOR, help_text="The device's name for it.")
    time = serializers.DateTimeField(help_text="ISO 8601 with a zone.")
    value = serializers.FloatField(help_text="In the sensor's unit; finite.")
    quality = serializers.FloatField(required=False, min_value=0, max_value=1, allow_null=True)
    kind = serializers.ChoiceField(
        [*KINDS, OTHER.name], required=False, allow_null=True, help_text="Taken at discovery."
    )
    unit = serializers.CharField(required=False, allow_null=True, max_length=MAX_UNIT)


class ProblemOut(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Place of the row in the body, from 0.")
    category = serializers.ChoiceField(["validation", "enrichment", "quality", "unexpected"])
    code = serializers.CharField()
    detail = serializers.CharField()


class ReceiptOut(serializers.Serializer[Any]):
    """Every row of the body is in exactly one of the three numbers."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    errors = ProblemOut(many=True)  # type: ignore[assignment]  # only for the schema

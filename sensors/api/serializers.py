"""The JSON of the sensors API."""

from __future__ import annotations

from typing import Any

import numpy as np
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from sensors.buckets import Singles, Slices, to_datetimes
from sensors.kinds import KINDS, OTHER
from sensors.models import Asset, Sensor, SensorProfile
from sensors.quality import names
from sensors.rows import MAX_SENSOR, MAX_UNIT
from sensors.slices import Level


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
    index = serializers.IntegerField(
        help_text="Place of the row in the document, from 0; empty lines and a header are none."
    )
    category = serializers.ChoiceField(["validation", "enrichment", "quality", "unexpected"])
    code = serializers.CharField()
    detail = serializers.CharField()


class ReceiptOut(serializers.Serializer[Any]):
    """Every row of the body is in exactly one of the first three numbers."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    errors = ProblemOut(many=True)  # type: ignore[assignment]  # only for the schema
    conflicts = serializers.IntegerField(
        required=False,
        help_text="Rows whose time has another value, whichever number they are in; left out where "
        "there are none.",
    )


class AssetInSensor(serializers.ModelSerializer[Asset]):
    class Meta:
        model = Asset
        fields = ("id", "name", "criticality")


class SensorInList(serializers.ModelSerializer[Sensor]):
    site = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)
    asset = AssetInSensor(read_only=True, allow_null=True)
    readings = serializers.IntegerField(
        source="profile.count", default=0, read_only=True, help_text="Accepted so far."
    )
    last_time = serializers.DateTimeField(
        source="profile.last_time", default=None, read_only=True, allow_null=True
    )
    last_value = serializers.FloatField(
        source="profile.last_value", default=None, read_only=True, allow_null=True
    )

    class Meta:
        model = Sensor
        fields: tuple[str, ...] = (
            "id", "external_id", "site", "asset", "kind", "unit", "status", "readings",
            "last_time", "last_value",
        )  # fmt: skip


class ProfileOut(serializers.ModelSerializer[SensorProfile]):
    variance = serializers.FloatField(
        allow_null=True, read_only=True, help_text="In the unit squared."
    )

    class Meta:
        model = SensorProfile
        fields = (
            "count", "mean", "variance", "minimum", "maximum", "quality_mean", "first_time",
            "last_time", "last_value", "interval_s", "updated_at",
        )  # fmt: skip


class SensorInDetail(SensorInList):
    profile = serializers.SerializerMethodField(help_text="Null before the first reading.")

    class Meta(SensorInList.Meta):
        fields = (
            *SensorInList.Meta.fields, "kind_source", "physical_min", "physical_max", "alarm_low",
            "alarm_high", "expected_interval_s", "quality_threshold", "metadata", "created_at",
            "profile",
        )  # fmt: skip

    @extend_schema_field(ProfileOut(allow_null=True))
    def get_profile(self, sensor: Sensor) -> dict[str, Any] | None:
        profile = getattr(sensor, "profile", None)
        return dict(ProfileOut(profile).data) if profile else None


class PointOut(serializers.Serializer[Any]):
    """A reading (value, quality, flags, reasons) or a slice (min, max, mean, count)."""

    time = serializers.DateTimeField(help_text="Of the reading, or where the slice begins.")
    value = serializers.FloatField(required=False)
    quality = serializers.FloatField(required=False)
    flags = serializers.IntegerField(required=False)
    reasons = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="The flags by name."
    )
    min = serializers.FloatField(required=False)
    max = serializers.FloatField(required=False)
    mean = serializers.FloatField(required=False)
    count = serializers.IntegerField(required=False)


class PointsOut(serializers.Serializer[Any]):
    sensor = serializers.IntegerField()
    unit = serializers.CharField()
    to = serializers.DateTimeField()
    bucket_seconds = serializers.FloatField(
        allow_null=True, help_text="Width of a slice; null when the points are single readings."
    )
    level = serializers.ChoiceField(
        [level.value for level in Level], help_text="What the points were put together from."
    )
    points = PointOut(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # A keyword cannot name an attribute.
        return {**super().get_fields(), "from": serializers.DateTimeField()}


def shown(found: Singles | Slices) -> dict[str, Any]:
    """What a chart's answer says beside its range."""
    if isinstance(found, Singles):
        return {
            "level": Level.READINGS.value,
            "bucket_seconds": None,
            "points": _rows(
                time=to_datetimes(found.times.astype(np.int64)),
                value=found.values.tolist(),
                quality=found.quality.tolist(),
                flags=found.flags.tolist(),
                reasons=[names(flags) for flags in found.flags.tolist()],
            ),
        }
    slices = found.buckets
    return {
        "level": found.plan.level.value,
        "bucket_seconds": found.width.total_seconds(),
        "points": _rows(
            time=to_datetimes(slices.begins),
            min=slices.minimum.tolist(),
            max=slices.maximum.tolist(),
            mean=slices.mean.tolist(),
            count=slices.count.tolist(),
        ),
    }


def _rows(**columns: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

"""`GET /api/v1/sensors/ID/quality` and `/profile`: how good its readings are, and how it speaks."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sensors import quality_history, rhythms
from sensors.api.access import MayRead, visible
from sensors.api.filters import RangeFilters
from sensors.buckets import to_datetimes
from sensors.models import Sensor, SensorProfile, SensorRhythm
from sensors.quality import REASONS
from sensors.quality_history import History, named
from sensors.slices import Level

_MEANING = {str(flag.name).lower(): words for flag, words in REASONS.items()}


class ReasonOut(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(list(_MEANING))
    meaning = serializers.CharField()
    readings = serializers.IntegerField(help_text="Of the range that it holds for.")


class QualityBucketOut(serializers.Serializer[Any]):
    time = serializers.DateTimeField(help_text="Where the slice begins.")
    readings = serializers.IntegerField()
    quality_mean = serializers.FloatField()
    reasons = serializers.DictField(child=serializers.IntegerField())


class QualityOut(serializers.Serializer[Any]):
    sensor = serializers.IntegerField()
    to = serializers.DateTimeField()
    readings = serializers.IntegerField()
    quality_mean = serializers.FloatField(allow_null=True, help_text="0 to 1; null without any.")
    reasons = ReasonOut(many=True)
    quarantined = serializers.DictField(
        child=serializers.IntegerField(), help_text="By code, received between `from` and `to`."
    )
    conflicts = serializers.IntegerField(help_text="Second values for a time of the range.")
    level = serializers.ChoiceField([Level.MINUTE.value, Level.HOUR.value])
    bucket_seconds = serializers.FloatField(help_text="Width of a slice.")
    buckets = QualityBucketOut(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # A keyword cannot name an attribute.
        return {**super().get_fields(), "from": serializers.DateTimeField()}


class SensorQuality(APIView):
    permission_classes = [MayRead]

    @extend_schema(
        tags=["sensors"],
        operation_id="sensors_quality",
        summary="Quality of a sensor's readings over time",
        description=(
            "At most `points` slices of full minutes or hours, each with its readings, their mean "
            "quality and how many of them each reason holds for; a slice without readings is left "
            "out. What was refused counts by when it was received, since its time may be what is "
            "wrong with it."
        ),
        parameters=[RangeFilters],
        responses=QualityOut,
    )
    def get(self, request: Request, pk: int) -> Response:
        sensor = get_object_or_404(visible(Sensor.objects.all(), request), pk=pk)
        profile = SensorProfile.objects.filter(sensor=sensor).first()
        newest = (profile and profile.last_time) or timezone.now()
        since, until, limit = RangeFilters(data=request.query_params).range(newest)
        found = quality_history.history(sensor, since=since, until=until, limit=limit)
        return Response({"sensor": sensor.pk, "from": since, "to": until, **_shown(found)})


def _shown(found: History) -> dict[str, Any]:
    slices = found.buckets
    return {
        "readings": found.readings,
        "quality_mean": found.quality_mean,
        "reasons": [
            {"reason": name, "meaning": _MEANING[name], "readings": count}
            for name, count in found.reasons().items()
        ],
        "quarantined": found.quarantined,
        "conflicts": found.conflicts,
        "level": found.level.value,
        "bucket_seconds": found.width.total_seconds(),
        "buckets": [
            {"time": time, "readings": count, "quality_mean": quality, "reasons": named(flags)}
            for time, count, quality, flags in zip(
                to_datetimes(slices.begins),
                slices.count.tolist(),
                slices.quality.tolist(),
                slices.flags,
                strict=True,
            )
        ],
    }


class RhythmOut(serializers.ModelSerializer[SensorRhythm]):
    class Meta:
        model = SensorRhythm
        fields = ("as_of", "readings", "span_s", "interval_s", "spread_s", "pause_s", "longest_s")


class GapsOut(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="Among the readings of the rhythm.")
    typical_s = serializers.FloatField(allow_null=True, help_text="Median length, seconds.")
    per_day = serializers.FloatField()


class ValuesOut(serializers.Serializer[Any]):
    """In the sensor's unit."""

    minimum = serializers.FloatField()
    maximum = serializers.FloatField()
    mean = serializers.FloatField()
    deviation = serializers.FloatField(allow_null=True, help_text="Null below two readings.")
    latest = serializers.FloatField()
    noise_floor = serializers.FloatField(
        allow_null=True, help_text="Standard deviation of the noise in the newest readings."
    )


class SensorProfileOut(serializers.Serializer[Any]):
    """What is null was not seen yet: it takes one reading, a rhythm takes two, noise three."""

    sensor = serializers.IntegerField()
    unit = serializers.CharField()
    as_of = serializers.DateTimeField(
        allow_null=True, help_text="When the profile last changed; null before the first reading."
    )
    readings = serializers.IntegerField()
    first_time = serializers.DateTimeField(allow_null=True)
    last_time = serializers.DateTimeField(allow_null=True, help_text="Newest event time.")
    values = ValuesOut(allow_null=True)
    quality_mean = serializers.FloatField(allow_null=True)
    expected_interval_s = serializers.FloatField(allow_null=True, help_text="As stated.")
    observed_interval_s = serializers.FloatField(allow_null=True)
    rhythm = RhythmOut(allow_null=True)
    gaps = GapsOut(allow_null=True)


class SensorProfileView(APIView):
    permission_classes = [MayRead]

    @extend_schema(
        tags=["sensors"],
        operation_id="sensors_profile",
        summary="What a sensor's readings look like so far",
        description="Range and mean of all accepted readings; rhythm, gaps and noise of the newest "
        f"{rhythms.WINDOW}. Values are in `unit`, all that ends in _s in seconds.",
        responses=SensorProfileOut,
    )
    def get(self, request: Request, pk: int) -> Response:
        seen = visible(Sensor.objects.all(), request).select_related("profile")
        return Response(_profile(get_object_or_404(seen, pk=pk), timezone.now()))


def _profile(sensor: Sensor, now: datetime) -> dict[str, Any]:
    profile: SensorProfile | None = getattr(sensor, "profile", None)
    rhythm = rhythms.newest(sensor, now=now)
    return {
        "sensor": sensor.pk,
        "unit": sensor.unit,
        "as_of": profile and profile.updated_at,
        "readings": profile.count if profile else 0,
        "first_time": profile and profile.first_time,
        "last_time": profile and profile.last_time,
        "values": _values(profile, rhythm),
        "quality_mean": profile and profile.quality_mean,
        "expected_interval_s": sensor.expected_interval_s,
        "observed_interval_s": profile and profile.interval_s,
        "rhythm": rhythm and RhythmOut(rhythm).data,
        "gaps": rhythm and _gaps(rhythm),
    }


def _values(profile: SensorProfile | None, rhythm: SensorRhythm | None) -> dict[str, Any] | None:
    if profile is None or profile.last_time is None:
        return None
    return {
        "minimum": profile.minimum,
        "maximum": profile.maximum,
        "mean": profile.mean,
        "deviation": None if profile.variance is None else math.sqrt(profile.variance),
        "latest": profile.last_value,
        "noise_floor": rhythm and rhythm.noise,
    }


def _gaps(rhythm: SensorRhythm) -> dict[str, Any]:
    per_day = rhythm.gaps / rhythm.span_s * 86_400 if rhythm.span_s else 0.0
    return {"count": rhythm.gaps, "typical_s": rhythm.gap_s, "per_day": per_day}

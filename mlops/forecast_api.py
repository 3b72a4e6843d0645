"""`GET /api/v1/sensors/ID/forecast`: what a sensor is expected to read next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mlops.models import Forecast
from sensors.api.access import MayRead, visible
from sensors.models import Sensor


class StepOut(serializers.Serializer[Any]):
    time = serializers.DateTimeField(help_text="When the step begins.")
    mean = serializers.FloatField(help_text="Expected mean of the step, in the sensor's unit.")
    low = serializers.FloatField(help_text="Lower end of the 80 % band.")
    high = serializers.FloatField(help_text="Upper end of the 80 % band.")


class PartOut(serializers.Serializer[Any]):
    name = serializers.ChoiceField(
        ["present", "course"],
        help_text="It repeats its last day; where it goes from there.",
    )
    share = serializers.FloatField(help_text="Both add up to 1.")
    past_limit = serializers.FloatField(
        help_text="What it adds, in the unit, to how far the forecast lies past the limit."
    )


class EstimateOut(serializers.Serializer[Any]):
    """When a limit is met, between when and when; or the reason why nothing is said."""

    limit = serializers.ChoiceField(["alarm_high", "alarm_low"])
    value = serializers.FloatField(help_text="In the sensor's unit.")
    at = serializers.DateTimeField(allow_null=True, help_text="Null: no estimate, see `reason`.")
    earliest = serializers.DateTimeField(allow_null=True)
    latest = serializers.DateTimeField(
        allow_null=True, help_text="Null with `at` set: later than what is forecast."
    )
    score = serializers.FloatField(allow_null=True, help_text="How likely, 0 to 1.")
    parts = PartOut(many=True, allow_null=True, help_text="What the likelihood is owed to.")
    reason = serializers.CharField(allow_null=True, help_text="Why there is no estimate.")


class CoverageOut(serializers.Serializer[Any]):
    share = serializers.FloatField()
    steps = serializers.IntegerField()


class RecordOut(serializers.Serializer[Any]):
    """How the forecasters did on the sensor's own past; errors in its unit."""

    chosen = serializers.CharField()
    mae = serializers.DictField(child=serializers.FloatField())
    gain = serializers.FloatField(
        help_text="Share of the error of repeating the last day that is not made; 0: no better."
    )
    beats_seasonal_naive = serializers.BooleanField()
    coverage = CoverageOut(allow_null=True, help_text="Of the 80 % band, at judged origins.")
    origins = serializers.IntegerField(help_text="Past forecasts that were judged.")
    sentence = serializers.CharField()


class ForecastOut(serializers.Serializer[Any]):
    sensor = serializers.IntegerField()
    unit = serializers.CharField()
    as_of = serializers.DateTimeField(help_text="Readings up to here were looked at.")
    made_at = serializers.DateTimeField()
    model = serializers.CharField()
    step_seconds = serializers.IntegerField()
    steps = StepOut(many=True)
    limits = EstimateOut(many=True)
    record = RecordOut()


class ForecastAnswer(serializers.Serializer[Any]):
    forecast = ForecastOut(allow_null=True, help_text="The newest one; null before the first.")


class SensorForecast(APIView):
    permission_classes = [MayRead]

    @extend_schema(
        tags=["sensors"],
        operation_id="sensors_forecast",
        summary="What a sensor is expected to read next",
        responses=ForecastAnswer,
    )
    def get(self, request: Request, pk: int) -> Response:
        """The newest forecast, made nightly: steps with an 80 % band, when it meets its alarm
        limits, and how forecasts of its past did."""
        sensor = get_object_or_404(visible(Sensor.objects.all(), request), pk=pk)
        newest = Forecast.objects.filter(sensor=sensor).first()
        told = _told(sensor, newest) if newest else None
        return Response(ForecastAnswer({"forecast": told}).data)


def _told(sensor: Sensor, row: Forecast) -> dict[str, Any]:
    nothing = dict.fromkeys(("at", "earliest", "latest", "score", "parts", "reason"))
    columns = zip(row.mean, row.low, row.high, strict=True)
    step = timedelta(seconds=row.step_s)
    return {
        "sensor": sensor.pk,
        "unit": sensor.unit,
        "as_of": row.as_of,
        "made_at": row.made_at,
        "model": row.model,
        "step_seconds": row.step_s,
        "steps": [
            {"time": row.as_of + step * i, "mean": mean, "low": low, "high": high}
            for i, (mean, low, high) in enumerate(columns)
        ],
        "limits": [{**nothing, **each} for each in row.estimates],
        "record": row.record,
    }

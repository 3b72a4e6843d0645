"""Which rung judges a sensor just now, and what the next one waits for."""

from __future__ import annotations

from dataclasses import asdict

from django.conf import settings
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from anomalies import achieved
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import DetectionLease, Rung
from anomalies.rungs import standing_of
from mlops.models import FleetPrior
from sensors.api.access import MayRead, visible
from sensors.models import ScoringNote, Sensor


class AlarmRateOut(serializers.Serializer[dict[str, object]]):
    promised = serializers.FloatField(help_text="False alarms in 30 days that it may give.")
    achieved = serializers.FloatField(
        allow_null=True,
        help_text="Anomalies in 30 days that nobody confirmed, by its newest 30 days of event time "
        "at most; null while less than a day is scored.",
    )
    days = serializers.FloatField(help_text="Of event time that `achieved` was counted in.")


class FleetOut(serializers.Serializer[FleetPrior]):
    version = serializers.IntegerField(source="pk")
    made_at = serializers.DateTimeField()
    serves_from = serializers.DateTimeField(help_text="Event time of the first readings it judges.")
    sensors = serializers.SerializerMethodField(help_text="How many of its site it was made of.")

    def get_sensors(self, prior: FleetPrior) -> int:
        return len(prior.sensors)


class DetectionOut(serializers.Serializer[dict[str, object]]):
    sensor = serializers.IntegerField()
    rung = serializers.ChoiceField(Rung.choices, help_text="Highest rung its history allows.")
    serving = serializers.CharField(help_text="Rung of the last scoring; empty before the first.")
    reason = serializers.CharField(help_text="Why no champion scored last time; empty if one did.")
    next_rung = serializers.CharField(allow_null=True)
    readings_missing = serializers.IntegerField(
        allow_null=True, help_text="Readings until the next rung; null: it waits for a model."
    )
    seconds_missing = serializers.FloatField(
        allow_null=True, help_text="The same in seconds, at the interval observed so far."
    )
    missing = serializers.CharField(help_text="The same in words; empty at the top.")
    expected_at = serializers.DateTimeField(
        allow_null=True, help_text="Event time at which the next rung is expected by that."
    )
    scored_until = serializers.DateTimeField(allow_null=True, help_text="Event time.")
    notes_open = serializers.IntegerField(help_text="Ranges that wait to be scored.")
    notes_held = serializers.IntegerField(help_text="Ranges that wait for the champion.")
    false_alarms = AlarmRateOut()
    fleet = FleetOut(
        allow_null=True,
        help_text="What sensors of its kind and site lend to judge its first 500 readings; null "
        "when it has those, or there is nothing to lend.",
    )


class SensorDetection(APIView):
    """How a sensor is judged: its rung, why, and the distance to the next one."""

    permission_classes = [MayRead]

    @extend_schema(tags=["sensors"], responses=DetectionOut)
    def get(self, request: Request, pk: int) -> Response:
        sensors = visible(Sensor.objects.select_related("profile", "site"), request)
        sensor = get_object_or_404(sensors, pk=pk)
        return Response(DetectionOut(_state(sensor)).data)


def _state(sensor: Sensor) -> dict[str, object]:
    policy = DetectionPolicy(**settings.DETECTION_POLICY)
    found = standing_of(sensor, policy)
    lease = DetectionLease.objects.filter(sensor=sensor).first()
    notes = ScoringNote.objects.filter(sensor=sensor)
    return {
        "sensor": sensor.pk,
        "rung": found.rung,
        "serving": lease.rung if lease else "",
        "reason": lease.rung_reason if lease else "",
        "next_rung": found.next_rung,
        "readings_missing": found.readings_missing,
        "seconds_missing": found.seconds,
        "missing": found.missing,
        "expected_at": found.expected_at,
        "scored_until": lease.scored_until if lease else None,
        "notes_open": notes.filter(held=False).count(),
        "notes_held": notes.filter(held=True).count(),
        "false_alarms": asdict(achieved.of(sensor, policy)),
        "fleet": found.fleet,
    }

"""GET /api/v1/models: which models judge the readings."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mlops.catalogue import catalogue
from mlops.drift_api import DriftList
from mlops.forecast_api import SensorForecast
from mlops.serving import SENSOR_PREFIX, model_for_sensor
from sensors.models import IngestKey, Sensor


class PersonOrReadKey(BasePermission):
    """A key needs the scope to read."""

    message = "This key may not read."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, IngestKey):
            return IngestKey.Scope.READ in request.auth.scopes
        return bool(request.user and request.user.is_authenticated)


class ModelSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.IntegerField()
    task = serializers.CharField()
    sensor_kind = serializers.CharField()
    detector = serializers.CharField()
    dataset = serializers.CharField(help_text="`synthetic` when trained on generated data.")
    sha256 = serializers.CharField()
    approved_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    is_champion = serializers.BooleanField()
    promoted_at = serializers.DateTimeField(allow_null=True)


class ModelList(APIView):
    permission_classes = [PersonOrReadKey]

    @extend_schema(
        responses=ModelSerializer(many=True), summary="Registered models", tags=["models"]
    )
    def get(self, request: Request) -> Response:
        """Every approved version, and which one is champion."""
        hidden = _own_models_of_others(request)
        entries = [entry for entry in catalogue() if entry.name not in hidden]
        return Response(ModelSerializer(entries, many=True).data)


def _own_models_of_others(request: Request) -> set[str]:
    """Models of a kind are everybody's; a sensor's own are its site's."""
    sensors = Sensor.objects.all()
    seen = (
        sensors.for_key(request.auth)
        if isinstance(request.auth, IngestKey)
        else sensors.for_user(request.user)
    )
    named = {entry.name for entry in catalogue() if entry.name.startswith(SENSOR_PREFIX)}
    ids = [int(name.removeprefix(SENSOR_PREFIX)) for name in named]
    own = seen.filter(pk__in=ids).values_list("pk", flat=True)
    return named - {model_for_sensor(pk) for pk in own}


urlpatterns = [
    path("drifts", DriftList.as_view(), name="drifts"),
    path("models", ModelList.as_view(), name="models"),
    path("sensors/<int:pk>/forecast", SensorForecast.as_view(), name="sensor-forecast"),
]

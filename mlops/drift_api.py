"""`GET /api/v1/drifts`: which sensors read otherwise than they used to."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers

from mlops.models import Drift
from sensors.api.access import MayRead, visible
from sensors.models import KIND_CHOICES


class DriftFilters(serializers.Serializer[Any]):
    sensor = serializers.IntegerField(required=False, help_text="Id of a sensor.")
    kind = serializers.ChoiceField(choices=KIND_CHOICES, required=False)
    since = serializers.DateTimeField(required=False, help_text="Found at this time or later.")


class DriftOut(serializers.ModelSerializer[Drift]):
    kind = serializers.CharField(source="sensor.kind")
    unit = serializers.CharField(source="sensor.unit")

    class Meta:
        model = Drift
        fields = ("id", "sensor", "kind", "unit", "as_of", "found_at", "shift", "psi", "p")


@extend_schema(tags=["models"], parameters=[DriftFilters])
class DriftList(generics.ListAPIView[Drift]):
    """Sensors that read otherwise than they used to at the same hours, newest first."""

    serializer_class = DriftOut
    permission_classes = [MayRead]
    ordering = ("-found_at", "-id")

    def get_queryset(self) -> QuerySet[Drift]:
        asked = DriftFilters(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        names = {"sensor": "sensor_id", "kind": "sensor__kind", "since": "found_at__gte"}
        wanted = {names[name]: value for name, value in asked.validated_data.items()}
        return visible(Drift.objects.select_related("sensor"), self.request).filter(**wanted)

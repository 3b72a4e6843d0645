"""`GET /api/v1/sensors[/ID[/readings]]`: what is measured, and what came of it."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sensors import buckets
from sensors.api.access import MayRead, visible
from sensors.api.filters import RangeFilters, SensorFilters
from sensors.api.serializers import PointsOut, SensorInDetail, SensorInList, shown
from sensors.models import Sensor, SensorProfile
from sensors.querysets import SensorQuerySet


@extend_schema(tags=["sensors"], parameters=[SensorFilters])
class SensorList(generics.ListAPIView[Sensor]):
    """Sensors by external id, with their newest value."""

    serializer_class = SensorInList
    permission_classes = [MayRead]
    ordering = ("external_id", "id")

    def get_queryset(self) -> SensorQuerySet:
        asked = SensorFilters(data=self.request.query_params)
        seen = visible(Sensor.objects.all(), self.request)
        return asked.chosen(seen).select_related("site", "asset", "profile")


@extend_schema(tags=["sensors"])
class SensorDetail(generics.RetrieveAPIView[Sensor]):
    """One sensor: its limits, and what its accepted readings look like so far."""

    serializer_class = SensorInDetail
    permission_classes = [MayRead]

    def get_queryset(self) -> SensorQuerySet:
        seen = visible(Sensor.objects.all(), self.request)
        return seen.select_related("site", "asset", "profile")


class SensorReadings(APIView):
    permission_classes = [MayRead]

    @extend_schema(
        tags=["sensors"],
        operation_id="sensors_readings",
        summary="Readings of a sensor, for a chart",
        description=(
            "Single readings while there are at most `points` of them in the range, else slices of "
            "equal width with their extremes, mean and count. `level` says what slices were put "
            "together from: the readings, or their minute or hour roll-ups, and then a slice "
            "begins at a full minute or hour. Only what lies between `from` and `to` counts; where "
            "readings were dropped (retention), the minute or hour at an edge counts as a whole."
        ),
        parameters=[RangeFilters],
        responses=PointsOut,
    )
    def get(self, request: Request, pk: int) -> Response:
        sensor = get_object_or_404(visible(Sensor.objects.all(), request), pk=pk)
        profile = SensorProfile.objects.filter(sensor=sensor).first()
        newest = (profile and profile.last_time) or timezone.now()
        since, until, limit = RangeFilters(data=request.query_params).range(newest)
        found = buckets.points(sensor, since=since, until=until, limit=limit)
        return Response({
            "sensor": sensor.pk, "unit": sensor.unit, "from": since, "to": until, **shown(found)
        })  # fmt: skip

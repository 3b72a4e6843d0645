"""What the acquisition is measured against: an empty view, and ListSerializer with bulk_create."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sensors.api.access import MayWriteReadings
from sensors.api.authentication import IngestKeyAuthentication
from sensors.models import Reading, Sensor


class EmptyView(APIView):
    """Knows who is calling, and that they may; does nothing."""

    authentication_classes = [IngestKeyAuthentication]
    permission_classes = [MayWriteReadings]
    parser_classes: list[Any] = []

    def post(self, request: Request) -> Response:
        return Response({})


class NaiveReadings(serializers.ListSerializer[Any]):
    def create(self, validated_data: list[dict[str, Any]]) -> list[Reading]:
        names = {row["sensor"] for row in validated_data}
        known = Sensor.objects.filter(external_id__in=names).values_list("external_id", "pk")
        ids = dict(known)
        return Reading.objects.bulk_create(
            [
                Reading(
                    sensor_id=ids[row["sensor"]], time=row["time"], value=row["value"], quality=1.0
                )
                for row in validated_data
            ],
            ignore_conflicts=True,
        )


class NaiveReading(serializers.Serializer[Any]):
    sensor = serializers.CharField()
    time = serializers.DateTimeField()
    value = serializers.FloatField()

    class Meta:
        list_serializer_class = NaiveReadings


class NaiveView(APIView):
    authentication_classes = [IngestKeyAuthentication]
    permission_classes = [MayWriteReadings]

    def post(self, request: Request) -> Response:
        readings = NaiveReading(data=request.data, many=True)
        readings.is_valid(raise_exception=True)
        return Response({"accepted": len(readings.save()), "errors": []})

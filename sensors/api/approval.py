"""`POST /api/v1/sensors/ID/approve`: a person's yes to a discovered sensor."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sensors import approval
from sensors.api.access import IsPerson, visible
from sensors.models import Sensor


class SensorRetired(APIException):
    status_code = 409
    default_code = "sensor_retired"
    default_detail = "The sensor is retired; set its status in the admin to have it back."


class ApprovedOut(serializers.Serializer[Any]):
    """What became of the readings that waited in quarantine for this."""

    status = serializers.ChoiceField([Sensor.Status.ACTIVE.value])
    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    quarantined = serializers.IntegerField(help_text="Still not acceptable; they stay there.")


class SensorApproval(APIView):
    permission_classes = [IsPerson]

    @extend_schema(
        tags=["sensors"],
        operation_id="sensors_approve",
        summary="Approve a discovered sensor",
        description="It becomes active, and what it sent meanwhile is replayed from quarantine. "
        "Repeating it changes nothing.",
        request=None,
        responses={200: ApprovedOut, 409: OpenApiResponse(description="The sensor is retired.")},
        auth=[{"jwtAuth": []}, {"cookieAuth": []}],  # type: ignore[list-item]
    )
    def post(self, request: Request, pk: int) -> Response:
        sensor = get_object_or_404(visible(Sensor.objects.all(), request), pk=pk)
        try:
            receipt = approval.approve(sensor, now=timezone.now())
        except approval.Retired as error:
            raise SensorRetired from error
        return Response({
            "status": sensor.status,
            "accepted": receipt.accepted,
            "duplicates": receipt.duplicates,
            "quarantined": receipt.quarantined,
        })  # fmt: skip

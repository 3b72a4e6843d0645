"""`/api/v1/assets/ID/states`: what a machine was doing, so that it is judged by how it runs."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from sensors import states
from sensors.api.access import MayRead, MayWriteReadings, visible
from sensors.models import Asset, IngestKey, OperatingState
from sensors.querysets import OperatingStateQuerySet
from sensors.series import EARLIEST_DATETIME


class StateIn(serializers.Serializer[Any]):
    state = serializers.ChoiceField(OperatingState.State.choices)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Null: until the next state."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["start"] < EARLIEST_DATETIME:
            raise serializers.ValidationError({"start": "Before 1900."})
        if attrs["end"] is not None and attrs["end"] <= attrs["start"]:
            raise serializers.ValidationError({"end": "Not after the start."})
        return attrs


class StateOut(serializers.ModelSerializer[OperatingState]):
    class Meta:
        model = OperatingState
        fields = ["id", "state", "start", "end", "source", "created_at"]


class AssetStates(generics.ListAPIView[OperatingState]):
    """Operating states of a machine, the newest first."""

    serializer_class = StateOut
    ordering = ("-start", "-id")

    def get_permissions(self) -> list[Any]:
        """A device tags with the scope that writes readings; a person tags their machines."""
        is_device = isinstance(self.request.auth, IngestKey)
        writes = self.request.method == "POST" and is_device
        return [MayWriteReadings() if writes else MayRead()]

    def get_queryset(self) -> OperatingStateQuerySet:
        asset = get_object_or_404(visible(Asset.objects.all(), self.request), pk=self.kwargs["pk"])
        return visible(OperatingState.objects.all(), self.request).filter(asset=asset)

    @extend_schema(tags=["assets"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(tags=["assets"], request=StateIn, responses={200: StateOut, 201: StateOut})
    def post(self, request: Request, pk: int) -> Response:
        """Tag a state. Tagging it again answers 200 and changes nothing."""
        asset = get_object_or_404(visible(Asset.objects.all(), request), pk=pk)
        given = StateIn(data=request.data)
        given.is_valid(raise_exception=True)
        who = request.auth.name if isinstance(request.auth, IngestKey) else str(request.user)
        row, is_new = states.tag(
            asset=asset, **given.validated_data, source=who[:100], now=timezone.now()
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(StateOut(row).data, status=code)

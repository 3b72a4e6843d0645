"""`/api/v1/assets/ID/state-source`: what says whether a machine runs, if nobody tells it."""

from __future__ import annotations

from django.core.exceptions import ValidationError as Invalid
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import permissions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sensors import state_sources
from sensors.api.access import IsPerson, MayRead, visible
from sensors.models import Asset, Sensor, StateSource


class StateSourceSerializer(serializers.ModelSerializer[StateSource]):
    class Meta:
        model = StateSource
        fields = ["sort", "since", "sensor", "meanings", "schedule", "holidays"]


class AssetStateSource(APIView):
    """A sensor whose values mean states, or a weekly schedule in the site's time."""

    def get_permissions(self) -> list[permissions.BasePermission]:
        return [MayRead() if self.request.method == "GET" else IsPerson()]

    @extend_schema(tags=["assets"], responses=StateSourceSerializer)
    def get(self, request: Request, pk: int) -> Response:
        sources = visible(StateSource.objects.all(), request)
        return Response(StateSourceSerializer(get_object_or_404(sources, asset=pk)).data)

    @extend_schema(
        tags=["assets"], request=StateSourceSerializer, responses={200: StateSourceSerializer}
    )
    def put(self, request: Request, pk: int) -> Response:
        """Say where the states come from, in the place of what was said before."""
        asset = get_object_or_404(visible(Asset.objects.select_related("site"), request), pk=pk)
        given = StateSourceSerializer(data=request.data)
        given.fields["sensor"].queryset = visible(Sensor.objects.all(), request)  # type: ignore[attr-defined]
        given.is_valid(raise_exception=True)
        source = StateSource(asset=asset, **given.validated_data)
        try:
            source.clean()
        except Invalid as error:
            raise serializers.ValidationError(error.message_dict) from error
        stored = state_sources.put(source, now=timezone.now())
        return Response(StateSourceSerializer(stored).data)

    @extend_schema(tags=["assets"], responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """From now on it runs unless it is told or learnt otherwise."""
        source = get_object_or_404(visible(StateSource.objects.all(), request), asset=pk)
        state_sources.remove(source, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

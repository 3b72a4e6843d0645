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
from sensors.models import IngestKey


class PersonOrReadKey(BasePermission):
    """Models are shared by all sites, so no site is asked for; a key needs the scope to read."""

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
        return Response(ModelSerializer(catalogue(), many=True).data)


urlpatterns = [path("models", ModelList.as_view(), name="models")]

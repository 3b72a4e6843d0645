"""Who may ask for anomalies, and who may say what they are."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from anomalies.models import Anomaly
from anomalies.querysets import AnomalyQuerySet
from sensors.models import IngestKey


class MayRead(BasePermission):
    """People, and devices whose key has the scope `read`."""

    message = f"This key lacks the scope {IngestKey.Scope.READ.value}."

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, IngestKey):
            return IngestKey.Scope.READ.value in request.auth.scopes
        return bool(request.user and request.user.is_authenticated)


class IsPerson(BasePermission):
    """A verdict has an author: devices give none."""

    message = "Only a person can review: sign in, or use a token of /api/v1/token."

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, get_user_model()) and request.user.is_authenticated


def visible(request: Request) -> AnomalyQuerySet:
    """The anomalies of the asker's sites; of no other, whatever the request says."""
    if isinstance(request.auth, IngestKey):
        return Anomaly.objects.for_key(request.auth)
    return Anomaly.objects.for_user(request.user)

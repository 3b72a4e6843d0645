"""Who may do what: people see the rows of their sites, devices what their key's scopes allow."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from sensors.models import IngestKey
from sensors.querysets import TenantQuerySet

Rows = TypeVar("Rows", bound=TenantQuerySet[Any])


class MayWriteReadings(BasePermission):
    """A device whose key has the scope `readings:write`."""

    code = "scope_missing"
    message = f"This needs a key with the scope {IngestKey.Scope.WRITE.value}."

    def has_permission(self, request: Request, view: Any) -> bool:
        return _has_scope(request, IngestKey.Scope.WRITE)


class MayPlanWindows(BasePermission):
    """A device whose key has the scope `windows:write`."""

    code = "scope_missing"
    message = f"This needs a key with the scope {IngestKey.Scope.WINDOWS.value}."

    def has_permission(self, request: Request, view: Any) -> bool:
        return _has_scope(request, IngestKey.Scope.WINDOWS)


class MayRead(BasePermission):
    """A person, or a device whose key has the scope `read`."""

    code = "scope_missing"
    message = f"This needs a key with the scope {IngestKey.Scope.READ.value}."

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, IngestKey):
            return _has_scope(request, IngestKey.Scope.READ)
        return bool(request.user and request.user.is_authenticated)


class IsPerson(BasePermission):
    """Someone who answers for it: devices decide nothing."""

    code = "not_a_person"
    message = "Only a person can do this: sign in, or use a token of /api/v1/token."

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, get_user_model()) and request.user.is_authenticated


def visible(rows: Rows, request: Request) -> Rows:
    """The rows that whoever is calling may see."""
    if isinstance(request.auth, IngestKey):
        return rows.for_key(request.auth)
    return rows.for_user(request.user)


def _has_scope(request: Request, scope: IngestKey.Scope) -> bool:
    return isinstance(request.auth, IngestKey) and scope in request.auth.scopes

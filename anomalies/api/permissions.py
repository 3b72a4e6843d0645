"""Who may say what an anomaly is; who may read them is sensors.api.access."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class IsPerson(BasePermission):
    """A verdict has an author: devices give none."""

    code = "not_a_person"
    message = "Only a person can review: sign in, or use a token of /api/v1/token."

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, get_user_model()) and request.user.is_authenticated

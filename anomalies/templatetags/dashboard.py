"""`{% dashboard %}`: the strip above the admin's index."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import timezone

from anomalies import dashboard as sources

register = template.Library()


@register.inclusion_tag("admin/dashboard.html", takes_context=True)
def dashboard(context: dict[str, Any]) -> dict[str, Any]:
    return {"board": sources.dashboard(context["request"].user, timezone.now())}

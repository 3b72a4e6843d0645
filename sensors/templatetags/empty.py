"""`{% empty_state %}`: what the admin's lists show in place of no rows."""

from __future__ import annotations

from typing import Any

from django import template

from sensors.admin import empty

register = template.Library()


@register.inclusion_tag("admin/empty.html", takes_context=True)
def empty_state(context: dict[str, Any]) -> dict[str, Any]:
    return empty.empty_state(context["cl"], context["request"])

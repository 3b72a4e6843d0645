"""What a list of the admin says when it has no rows: one shape for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.http import HttpRequest
from django.urls import reverse

from sensors.admin.tenancy import SiteScopedAdmin


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """The `empty` of a ModelAdmin. text: what brings rows here. command: one that does.
    elsewhere: other views of a list that begins with a part of its rows, as (label, query)."""

    headline: str = "Nothing here yet."
    text: str
    command: str = ""
    elsewhere: tuple[tuple[str, str], ...] = ()


# Of models that are not ours: Django's users and groups.
UNTOLD = Empty(text="Rows are added by people.")


def empty_state(cl: ChangeList, request: HttpRequest) -> dict[str, Any]:
    """What `admin/empty.html` shows for a list without rows."""
    told: Empty = getattr(cl.model_admin, "empty", UNTOLD)
    is_narrowed = bool(cl.query or cl.has_active_filters or set(cl.params) - {ORDER_VAR})
    may_add = cl.model_admin.has_add_permission(request)
    return {
        "told": told,
        "names": cl.opts.verbose_name_plural,
        "name": cl.opts.verbose_name,
        "is_narrowed": is_narrowed,
        "is_outsider": isinstance(cl.model_admin, SiteScopedAdmin) and is_outsider(request.user),
        "add": reverse(f"admin:{cl.opts.label_lower.replace('.', '_')}_add") if may_add else "",
    }


def is_outsider(person: Any) -> bool:
    """Whether nothing of any site can be seen, whatever there is."""
    return not person.is_superuser and not person.sites.exists()

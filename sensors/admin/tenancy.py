"""The site boundary in the admin: lists, details, actions, look-ups, choices and filters."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from sensors.querysets import TenantQuerySet


def visible(model: type[models.Model], request: HttpRequest) -> models.QuerySet[Any]:
    """The rows of a model that the person may see; all of them where rows belong to no site."""
    rows = model._default_manager.all()
    return rows.for_user(request.user) if isinstance(rows, TenantQuerySet) else rows


class SiteScopedAdmin(admin.ModelAdmin):
    """Starts from `.for_user()`: details, actions, history and auto-completion follow from it."""

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).for_user(request.user)  # type: ignore[attr-defined]

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        kwargs.setdefault("queryset", visible(db_field.related_model, request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class VisibleRelatedFilter(admin.RelatedFieldListFilter):
    """A filter by a related row that offers only rows of the person's sites."""

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        seen = visible(field.related_model, request).values("pk")
        choices: list[tuple[str, Any]] = field.get_choices(
            include_blank=False,
            limit_choices_to={"pk__in": seen},
            ordering=self.field_admin_ordering(field, request, model_admin),
        )
        return choices

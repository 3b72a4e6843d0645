"""Operating states of machines. What is changed here has the readings it covers scored again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from sensors import state_sources, states
from sensors.admin.empty import Empty
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.models import OperatingState, StateSource


@admin.register(OperatingState)
class OperatingStateAdmin(SiteScopedAdmin):
    empty = Empty(
        text="Until somebody says otherwise a machine counts as running. Who knows better "
        "tells it here, by the API, or by a state source."
    )
    list_display = ("asset", "state", "start", "end", "source")
    list_filter = ("state", ("asset", VisibleRelatedFilter))
    list_select_related = ("asset",)
    date_hierarchy = "start"
    ordering = ("-start", "-id")
    fields = ("asset", "state", "start", "end", "source")
    readonly_fields = ("source",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was said is taken back or followed by another, not rewritten."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.source = str(request.user)[:100]
        super().save_model(request, obj, form, change)
        states.note(obj, now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        states.untag(obj, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            states.untag(row, now=timezone.now())


@admin.register(StateSource)
class StateSourceAdmin(SiteScopedAdmin):
    empty = Empty(
        text="A sensor of the machine, or a weekly schedule, can say when it runs, so that a "
        "standstill is no anomaly."
    )
    list_display = ("asset", "sort", "sensor", "since")
    list_filter = ("sort", ("asset", VisibleRelatedFilter))
    list_select_related = ("asset", "sensor")
    autocomplete_fields = ("asset", "sensor")
    fieldsets = (
        (None, {"fields": ("asset", "sort", "since")}),
        ("By a sensor", {"fields": ("sensor", "meanings")}),
        ("By a schedule", {"fields": ("schedule", "holidays")}),
    )

    def save_model(self, request: HttpRequest, obj: StateSource, form: Any, change: bool) -> None:
        state_sources.put(obj, now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: StateSource) -> None:
        state_sources.remove(obj, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for source in queryset:
            state_sources.remove(source, now=timezone.now())

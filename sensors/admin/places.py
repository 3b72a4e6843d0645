"""Sites and machines."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from sensors.admin.empty import Empty
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.models import Asset, Site


class SiteForm(forms.ModelForm):
    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"]
        if name not in available_timezones():
            raise ValidationError(f"{name!r} is no IANA time zone; an example is Europe/Berlin.")
        return name


@admin.register(Site)
class SiteAdmin(SiteScopedAdmin):
    form = SiteForm
    empty = Empty(
        text="A site is a plant with its own people, keys and sensors; everything belongs to "
        "one. Add the first, or let a generated fleet make two.",
        command="manage.py seed",
    )
    list_display = ("name", "slug", "timezone", "sensor_count")
    ordering = ("name",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    filter_horizontal = ("members",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(sensor_count=Count("sensors"))

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Who belongs to a site is the boundary itself: superusers alone draw it."""
        return () if request.user.is_superuser else ("members",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting one would leave its readings without a sensor."""
        return False

    @admin.display(description="sensors", ordering="sensor_count")
    def sensor_count(self, site: Any) -> int:
        count: int = site.sensor_count
        return count


class AssetForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        site, parent = cleaned.get("site"), cleaned.get("parent")
        if site and parent and parent.site_id != site.pk:
            self.add_error("parent", "A machine and its parent belong to one site.")
        if parent and parent.pk == self.instance.pk:
            self.add_error("parent", "A machine is not part of itself.")
        return cleaned


@admin.register(Asset)
class AssetAdmin(SiteScopedAdmin):
    form = AssetForm
    empty = Empty(
        text="A machine groups the sensors that stand on it: add it here, then name it on the "
        "page of each of its sensors. A generated fleet brings some.",
        command="manage.py seed",
    )
    list_display = ("name", "site", "parent", "criticality", "sensor_count")
    list_filter = (("site", VisibleRelatedFilter), "criticality")
    list_select_related = ("site", "parent")
    ordering = ("site", "name")
    search_fields = ("name",)
    autocomplete_fields = ("site", "parent")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(sensor_count=Count("sensors"))

    @admin.display(description="sensors", ordering="sensor_count")
    def sensor_count(self, asset: Any) -> int:
        count: int = asset.sensor_count
        return count

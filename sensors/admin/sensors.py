"""Sensors: the list, the page with the chart, activation and retirement."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from sensors import approval
from sensors.admin import cells, ranges
from sensors.admin.empty import Empty
from sensors.admin.quality import quality_view
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.charts import Stretch
from sensors.models import Sensor

STATUS_STYLES = {"discovered": "badge-note", "active": "badge-good", "retired": "badge-dim"}


class SensorForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        site = cleaned.get("site") or (self.instance.site if self.instance.pk else None)
        asset = cleaned.get("asset")
        if asset and site and asset.site_id != site.pk:
            self.add_error("asset", "A sensor and its machine belong to one site.")
        for low, high in (("physical_min", "physical_max"), ("alarm_low", "alarm_high")):
            below, above = cleaned.get(low), cleaned.get(high)
            if below is not None and above is not None and below >= above:
                self.add_error(high, "The upper limit lies above the lower one.")
        return cleaned


@admin.register(Sensor)
class SensorAdmin(SiteScopedAdmin):
    form = SensorForm
    change_form_template = "admin/sensors/sensor/change_form.html"
    empty = Empty(
        text="A sensor is registered by its first reading: posted with an ingest key, read "
        "from a file or from MQTT. SENSOR_DISCOVERY says whether it must be approved.",
        command="manage.py ingest history.csv --site SLUG",
    )
    list_display: tuple[str, ...] = (
        "name",
        "kind",
        "state",
        "latest",
        "quality",
        "reading_count",
    )
    list_filter: ClassVar[tuple[Any, ...]] = (
        "status",
        "kind",
        ("site", VisibleRelatedFilter),
        ("asset", VisibleRelatedFilter),
        "kind_source",
    )
    list_select_related: ClassVar[tuple[str, ...]] = ("asset", "site", "profile")
    list_per_page = 50
    search_fields = ("external_id", "asset__name", "site__name")
    search_help_text = "Sensor id, machine or site"
    autocomplete_fields = ("asset", "site")
    actions = ("activate", "retire")
    readonly_fields = ("kind_source", "discovered_by", "created_at")
    fieldsets = (
        (None, {"fields": (("external_id", "site"), ("asset", "status"), ("kind", "unit"))}),
        (
            "Limits",
            {"fields": (("alarm_low", "alarm_high"), ("physical_min", "physical_max"))},
        ),
        ("Detection", {"fields": ("false_alarms",)}),
        (
            "Acquisition",
            {
                "classes": ("collapse",),
                "fields": (
                    ("expected_interval_s", "quality_threshold"),
                    "metadata",
                    ("kind_source", "discovered_by", "created_at"),
                ),
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What names a stream stays: devices go on sending under it."""
        fixed = ("external_id", "site") if obj else ()
        return (*self.readonly_fields, *fixed)

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ("asset", "site")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting one would leave its readings behind; it is retired instead."""
        return False

    def save_model(self, request: HttpRequest, obj: Sensor, form: Any, change: bool) -> None:
        if "kind" in form.changed_data:
            obj.kind_source = Sensor.KindSource.PERSON
        super().save_model(request, obj, form, change)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        sensor: Sensor | None = kwargs.get("obj")
        if sensor is not None:
            chosen = request.GET.get("range", "")
            context["view"] = view = ranges.sensor_view(sensor, chosen, self.stretches(sensor))
            if view.span is not None:
                context["quality"] = quality_view(sensor, *view.span)
        return super().render_change_form(request, context, *args, **kwargs)

    def stretches(self, sensor: Sensor) -> list[Stretch]:
        """What to mark in the chart; a layer above knows what was found."""
        return []

    @admin.display(description="sensor", ordering="external_id")
    def name(self, sensor: Sensor) -> SafeString:
        return cells.sensor_name(sensor)

    @admin.display(description="status", ordering="status")
    def state(self, sensor: Sensor) -> SafeString:
        return cells.badge(sensor.get_status_display(), STATUS_STYLES[sensor.status])

    @admin.display(description="latest", ordering="profile__last_time")
    def latest(self, sensor: Sensor) -> SafeString | str:
        return cells.latest(sensor, timezone.now(), silent=self.is_silent(sensor))

    def is_silent(self, sensor: Sensor) -> bool:
        """Whether its silence is an anomaly; a layer above knows."""
        return False

    @admin.display(description="quality", ordering="profile__quality_mean")
    def quality(self, sensor: Sensor) -> SafeString | str:
        profile = getattr(sensor, "profile", None)
        return cells.share_bar(profile.quality_mean if profile else None, "good")

    @admin.display(description="readings", ordering="profile__count")
    def reading_count(self, sensor: Sensor) -> str:
        profile = getattr(sensor, "profile", None)
        return f"{profile.count:,}" if profile else "0"

    @admin.action(
        description="Activate: discovered sensors, and accept what they sent meanwhile",
        permissions=["change"],
    )
    def activate(self, request: HttpRequest, sensors: QuerySet[Sensor]) -> None:
        ids = list(sensors.filter(status=Sensor.Status.DISCOVERED).values_list("pk", flat=True))
        found = list(Sensor.objects.filter(pk__in=ids))
        self._set_status(request, Sensor.objects.filter(pk__in=ids), Sensor.Status.ACTIVE)
        receipts = [approval.approve(sensor, now=timezone.now()) for sensor in found]
        accepted = sum(receipt.accepted for receipt in receipts)
        left = sum(receipt.quarantined for receipt in receipts)
        if accepted or left:
            still = f"; {left:,} are still not acceptable" if left else ""
            self.message_user(request, f"{accepted:,} readings that waited were accepted{still}.")

    @admin.action(description="Retire: no longer scored, history kept", permissions=["change"])
    def retire(self, request: HttpRequest, sensors: QuerySet[Sensor]) -> None:
        self._set_status(request, sensors.exclude(status="retired"), Sensor.Status.RETIRED)

    def _set_status(
        self, request: HttpRequest, sensors: QuerySet[Sensor], status: Sensor.Status
    ) -> None:
        ids = list(sensors.values_list("pk", flat=True))
        for sensor in Sensor.objects.filter(pk__in=ids):
            self.log_change(request, sensor, f"Status set to {status.label}.")
        changed = Sensor.objects.filter(pk__in=ids).update(status=status)
        level = messages.SUCCESS if changed else messages.WARNING
        self.message_user(request, f"{changed} sensors are now {status.label.lower()}.", level)

"""Maintenance windows and silences, with what each of their times has hidden."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from anomalies.models import MaintenanceWindow, WindowOccurrence
from anomalies.windows import keeping
from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.presentation import DASH, local, zone_of

LARGEST_CALENDAR = 1_000_000
MOST_NAMED, MOST_TIMES = 50, 60
TIMES = ("starts_at", "ends_at")


def site_time(label: str, help_text: str) -> forms.DateTimeField:
    """A time on the site's clock. The admin's own widget is one on the server's."""
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(required=False, label=label, help_text=help_text, widget=widget)


class WindowForm(forms.ModelForm):
    starts_at = site_time("Starts at", "On the site's clock. May lie in the past.")
    ends_at = site_time("Ends at", "On the site's clock.")
    upload = forms.FileField(
        required=False, label="iCalendar file", help_text="A .ics file; it replaces the calendar."
    )

    class Meta:
        model = MaintenanceWindow
        fields = ("purpose", "reason", "site", "asset", "kind", "starts_at", "ends_at", "calendar",
                  "end_unused_minutes", "owner")  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.site_id:
            zone = zone_of(self.instance.site.timezone)
            for name in TIMES:
                if (time := getattr(self.instance, name)) is not None:
                    self.initial[name] = time.astimezone(zone).replace(tzinfo=None)

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if said.get("site") is not None:
            zone = zone_of(said["site"].timezone)
            said |= {name: said[name].replace(tzinfo=zone) for name in TIMES if said.get(name)}
        upload = said.get("upload")
        if upload is None:
            return said
        if upload.size > LARGEST_CALENDAR:
            raise ValidationError({"upload": "Larger than a megabyte."})
        try:
            said["calendar"] = upload.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValidationError({"upload": "It is not UTF-8."}) from error
        return said


class OccurrenceInline(admin.TabularInline):
    model = WindowOccurrence
    verbose_name_plural = f"the last {MOST_TIMES} times, newest first, and what they hid"
    fields = readonly_fields = ("from_", "until", "hid")
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They follow from the window."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The newest: one that recurs has hundreds."""
        rows = super().get_queryset(request).filter(start__lte=timezone.now())
        found = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        newest = rows.filter(window=found).order_by("-start", "-pk")[:MOST_TIMES]
        return rows.filter(pk__in=newest.values("pk")).select_related("window__site")

    @admin.display(description="from")
    def from_(self, row: WindowOccurrence) -> str:
        return local(row.start, zone_of(row.window.site.timezone))

    @admin.display(description="until")
    def until(self, row: WindowOccurrence) -> str:
        early = " (ended early)" if row.end < row.planned_end else ""
        return local(row.end, zone_of(row.window.site.timezone)) + early

    @admin.display(description="hid")
    def hid(self, row: WindowOccurrence) -> SafeString | str:
        report = keeping.report_of(row)
        if not report["hidden"]:
            return "nothing" if row.reported_at else "nothing yet"
        lines = format_html_join(
            "",
            '<li><a href="{}">{}</a>, severity {}</li>',
            (
                (
                    reverse("admin:anomalies_anomaly_change", args=[one["id"]]),
                    one["sensor"],
                    one["severity"],
                )
                for one in report["anomalies"][:MOST_NAMED]
            ),
        )
        return format_html(
            "{} anomalies, {} of which went on afterwards<ul>{}</ul>",
            report["hidden"], report["surfaced"], lines,
        )  # fmt: skip


@admin.register(MaintenanceWindow)
class MaintenanceWindowAdmin(SiteScopedAdmin):
    form = WindowForm
    change_form_template = "admin/anomalies/previewable_form.html"
    inlines = (OccurrenceInline,)
    empty = Empty(
        text="What lies within a window opens no episode, and is reported when it ends. A "
        "calendar (.ics) may make it recur."
    )
    list_display = ("reason", "purpose", "scope", "when", "hidden", "owner")
    list_filter = ("purpose", ("site", VisibleRelatedFilter), ("asset", VisibleRelatedFilter))
    list_select_related = ("site", "asset", "owner")
    search_fields = ("reason", "asset__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(n=Count("occurrences__hidden"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_changeform_initial_data(request), "owner": request.user.pk}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        keeping.plan(obj, now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        keeping.remove(obj, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for window in queryset:
            keeping.remove(window, now=timezone.now())

    @admin.display(description="where")
    def scope(self, window: MaintenanceWindow) -> SafeString:
        where = " · ".join(str(part) for part in (window.site, window.asset) if part)
        return cells.two_lines(where, window.kind or "every kind")

    @admin.display(description="when")
    def when(self, window: MaintenanceWindow) -> SafeString | str:
        zone, now = zone_of(window.site.timezone), timezone.now()
        row = window.occurrences.filter(end__gte=now).order_by("start").first()
        row = row or window.occurrences.first()
        if row is None:
            return DASH
        state = "now" if row.start <= now < row.end else "next" if row.start > now else "over"
        return cells.two_lines(f"{local(row.start, zone)} – {local(row.end, zone)}", state)

    @admin.display(description="hid", ordering="n")
    def hidden(self, window: Any) -> str:
        return f"{window.n:,}"

"""What could not be accepted: why, as it came, and another try after a fix."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sensors import quarantine
from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.models import QuarantinedReading
from sensors.presentation import shortened, zone_of

MOST_SHOWN = 20_000
CATEGORY_STYLES = {
    "validation": "badge-warn",
    "enrichment": "badge-note",
    "quality": "badge-warn",
    "unexpected": "badge-bad",
}


class WaitingFilter(admin.SimpleListFilter):
    """Rows that wait come first: what was replayed is only looked up."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("replayed", "Replayed"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        every = list(super().choices(changelist))
        every[0]["display"] = "Waiting"
        return every

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(replayed_at__isnull=self.value() != "replayed")


def pretty(payload: str) -> str:
    """JSON with its lines broken; whatever is not JSON as it came. Cut where a page would choke."""
    try:
        text = json.dumps(json.loads(payload), indent=2)
    except ValueError:
        text = payload
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}\n… {len(text):,} characters"


@admin.register(QuarantinedReading)
class QuarantinedReadingAdmin(SiteScopedAdmin):
    empty = Empty(
        headline="Nothing waits.",
        text="A reading that cannot be accepted is kept here with the reason, and can be "
        "replayed after a fix.",
    )
    list_display = ("received", "what", "sensor", "detail", "site", "source", "state")
    list_filter = (WaitingFilter, "category", "code", "source", ("site", VisibleRelatedFilter))
    list_select_related = ("site",)
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "received_at"
    search_fields = ("sensor_ref", "code", "detail")
    actions = ("replay",)
    fieldsets = (
        (None, {"fields": ("what", "detail", "shown_payload")}),
        ("Origin", {"fields": ("sensor_ref", "site", "key", "source", "received", "replayed_at")}),
    )
    readonly_fields = (
        *("what", "detail", "shown_payload", "sensor_ref", "site", "key", "source"),
        *("received", "replayed_at"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Who may replay rows may "change" them; there is nothing to save."""
        context |= {"title": "Quarantined reading", "show_save": False}
        context |= {"show_save_and_continue": False, "show_close": True}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Retention removes what is old; nobody removes what is inconvenient."""
        return False

    @admin.display(description="received", ordering="received_at")
    def received(self, row: QuarantinedReading) -> SafeString | str:
        return cells.moment(row.received_at, zone_of(row.site.timezone), timezone.now())

    @admin.display(description="why", ordering="code")
    def what(self, row: QuarantinedReading) -> SafeString:
        return format_html(
            '<div class="two">{} <code>{}</code></div>',
            cells.badge(row.category, CATEGORY_STYLES.get(row.category, "badge-note")),
            row.code,
        )

    @admin.display(description="sensor", ordering="sensor_ref")
    def sensor(self, row: QuarantinedReading) -> SafeString:
        return format_html(
            '<span title="{}">{}</span>', row.sensor_ref, shortened(row.sensor_ref) or "not given"
        )

    @admin.display(description="state", ordering="replayed_at")
    def state(self, row: QuarantinedReading) -> SafeString:
        if row.replayed_at is None:
            return cells.badge("waiting", "badge-note")
        return cells.badge("replayed", "badge-good", title=f"{row.replayed_at:%Y-%m-%d %H:%M} UTC")

    @admin.display(description="payload, as it came")
    def shown_payload(self, row: QuarantinedReading) -> SafeString:
        return format_html('<pre class="payload">{}</pre>', pretty(row.payload))

    @admin.action(description="Replay: try to accept them again", permissions=["change"])
    def replay(self, request: HttpRequest, rows: QuerySet[QuarantinedReading]) -> None:
        receipt = quarantine.replay(rows, now=timezone.now())
        level = messages.SUCCESS if receipt.accepted or receipt.duplicates else messages.WARNING
        self.message_user(
            request,
            f"Replayed: {receipt.accepted} accepted, {receipt.duplicates} were there already, "
            f"{receipt.quarantined} are still not acceptable.",
            level,
        )

"""Second values for one time: which stands, which does not, and who sent it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString

from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.read_only import ReadOnly
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.models import ReadingConflict
from sensors.presentation import local, number, zone_of

RESOLUTION_STYLES = {
    "keep_first": "badge-note",
    "keep_last": "badge-warn",
    "quarantine": "badge-warn",
}
# Values that differ are to look different.
DIGITS = 9


@admin.register(ReadingConflict)
class ReadingConflictAdmin(ReadOnly, SiteScopedAdmin):
    empty = Empty(
        headline="No two values for one time.",
        text="Where a reading is sent again with another value, both are written down here. "
        "READING_CONFLICTS says which one stands.",
    )
    list_display = ("received", "name", "measured", "stands", "does_not", "settled", "source")
    list_display_links = ("received",)
    list_filter: ClassVar[tuple[Any, ...]] = (
        "resolution",
        "source",
        ("sensor__site", VisibleRelatedFilter),
    )
    list_select_related: ClassVar[tuple[str, ...]] = (
        "sensor", "sensor__site", "sensor__asset", "key",
    )  # fmt: skip
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "received_at"
    search_fields = ("sensor__external_id", "sensor__asset__name")
    search_help_text = "Sensor id or machine"
    fieldsets = (
        (None, {"fields": ("name", "measured", "stands", "does_not", "settled")}),
        ("Origin of the second", {"fields": ("source", "key", "received")}),
    )

    @admin.display(description="received", ordering="received_at")
    def received(self, row: ReadingConflict) -> SafeString | str:
        return cells.moment(row.received_at, zone_of(row.sensor.site.timezone), timezone.now())

    @admin.display(description="sensor", ordering="sensor__external_id")
    def name(self, row: ReadingConflict) -> SafeString:
        return cells.sensor_name(row.sensor)

    @admin.display(description="for", ordering="time")
    def measured(self, row: ReadingConflict) -> str:
        return local(row.time, zone_of(row.sensor.site.timezone), seconds=True)

    @admin.display(description="stands", ordering="kept")
    def stands(self, row: ReadingConflict) -> str:
        return f"{number(row.kept, DIGITS)} {row.sensor.unit}"

    @admin.display(description="does not", ordering="other")
    def does_not(self, row: ReadingConflict) -> str:
        return f"{number(row.other, DIGITS)} {row.sensor.unit}"

    @admin.display(description="settled", ordering="resolution")
    def settled(self, row: ReadingConflict) -> SafeString:
        return cells.badge(row.get_resolution_display(), RESOLUTION_STYLES[row.resolution])

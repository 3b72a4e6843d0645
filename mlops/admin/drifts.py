"""Sensors that drifted, and what was trained again for it."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from mlops.admin.reading import ReadOnlyAdmin
from mlops.models import Drift, Retraining
from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.read_only import ReadOnly
from sensors.admin.tenancy import SiteScopedAdmin
from sensors.presentation import quantity


@admin.register(Drift)
class DriftAdmin(ReadOnly, SiteScopedAdmin):
    empty = Empty(
        headline="No sensor has drifted.",
        text="Every night the last 72 hours of each sensor are compared with its 12 weeks "
        "before; it needs some weeks of readings.",
    )
    list_display = ("found_at", "sensor", "shifted", "psi", "p", "as_of")
    list_filter = ("sensor__kind",)
    list_select_related = ("sensor",)
    search_fields = ("sensor__external_id",)
    date_hierarchy = "found_at"

    @admin.display(description="shift", ordering="shift")
    def shifted(self, drift: Drift) -> str:
        return quantity(drift.shift, drift.sensor.unit)


STATE_BADGES = {
    Retraining.State.RUNNING: "badge-note",
    Retraining.State.CHALLENGER: "badge-dim",
    Retraining.State.CHAMPION: "badge-good",
    Retraining.State.FAILED: "badge-bad",
}


@admin.register(Retraining)
class RetrainingAdmin(ReadOnlyAdmin):
    empty = Empty(
        headline="Nothing was retrained.",
        text="A kind is trained again in the night after enough of its sensors drifted, or "
        "when its model has grown old.",
        command="manage.py retrain --dry-run",
    )
    list_display = ("began_at", "name", "version", "came_to", "reason", "outcome", "ended_at")
    list_filter = ("state", "kind")
    search_fields = ("name", "reason", "outcome")
    date_hierarchy = "began_at"

    @admin.display(description="came to", ordering="state")
    def came_to(self, row: Retraining) -> SafeString:
        state = Retraining.State(row.state)
        return cells.badge(str(state.label).lower(), STATE_BADGES[state])

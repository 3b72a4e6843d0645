"""Challengers: what they say of live readings beside the champion, sensor by sensor."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from mlops import shadow
from mlops.detectors.base import ALARM_LEVEL
from mlops.models import ShadowScores
from mlops.shadow import Counted, Pair
from sensors import charts
from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.read_only import ReadOnly
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.presentation import zone_of
from sensors.series import Series

# Passes whose scores are drawn and compared on a page; a list counts all that are kept.
MOST_PASSES = 2000
ARRAYS = ("times", "champion_scores", "challenger_scores")


@admin.register(ShadowScores)
class ShadowScoresAdmin(ReadOnly, SiteScopedAdmin):
    """One row for each challenger and sensor."""

    empty = Empty(
        headline="No challenger scores beside its champion.",
        text="A version that is trained for a kind that has a champion becomes challenger: it "
        "scores the same live readings and raises nothing. Both scores are kept for "
        "SHADOW_RETENTION_DAYS.",
        command="manage.py train anomaly",
    )
    change_form_template = "admin/mlops/shadowscores/change_form.html"
    list_display = ("shown_sensor", "beside", "readings", "champion", "challenger", "both", "last")
    list_filter = ("name", "version", ("sensor__site", VisibleRelatedFilter))
    list_select_related = ("sensor__site", "sensor__asset")
    list_per_page = 50
    search_fields = ("name", "sensor__external_id")
    search_help_text = "Model or sensor id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).newest_of_each().defer(*ARRAYS)  # type: ignore[attr-defined]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With what is counted of the page's rows, by one statement."""
        found = super().get_changelist_instance(request)
        counts = shadow.counted(found.result_list)
        for row in found.result_list:
            row.counted = counts.get((row.name, row.version, row.sensor_id), Counted())
        return found

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context.update(page(kwargs["obj"]))
        return super().render_change_form(request, context, *args, **kwargs)

    # --- columns ---------------------------------------------------------------------------------

    @admin.display(description="sensor", ordering="sensor__external_id")
    def shown_sensor(self, row: ShadowScores) -> SafeString:
        return cells.sensor_name(row.sensor)

    @admin.display(description="model", ordering="name")
    def beside(self, row: ShadowScores) -> SafeString:
        return cells.two_lines(row.name, f"v{row.version} beside v{row.champion_version}")

    @admin.display(description="readings scored")
    def readings(self, row: Any) -> str:
        return f"{row.counted.readings:,}"

    @admin.display(description="anomalous to the champion")
    def champion(self, row: Any) -> str:
        return f"{row.counted.champion:,}"

    @admin.display(description="to the challenger")
    def challenger(self, row: Any) -> str:
        return f"{row.counted.challenger:,}"

    @admin.display(description="to both")
    def both(self, row: Any) -> str:
        return f"{row.counted.both:,}"

    @admin.display(description="newest reading", ordering="until")
    def last(self, row: ShadowScores) -> SafeString | str:
        return cells.moment(row.until, zone_of(row.sensor.site.timezone), timezone.now())


def page(row: ShadowScores) -> dict[str, Any]:
    """Both scores of the sensor side by side, and what each would have raised."""
    of_both = ShadowScores.objects.filter(sensor=row.sensor_id, name=row.name, version=row.version)
    newest = list(of_both.order_by("-id")[:MOST_PASSES])
    pair = shadow.side_by_side(reversed(newest))
    found = shadow.compared(pair)
    return {
        "title": f"{row.name} v{row.version} beside v{row.champion_version}",
        "subtitle": None,
        "row": row,
        "chart": _chart(row, pair),
        "facts": [
            ("sensor", str(row.sensor)),
            ("readings", f"{found.readings:,}"),
            ("episodes of the champion", str(found.champion)),
            ("of the challenger", str(found.challenger)),
            ("of those in common", str(found.both)),
        ],
    }


def _chart(row: ShadowScores, pair: Pair) -> SafeString:
    quality = pair.champion * 0 + 1.0
    stretches = [
        charts.Stretch(pair.times[first], pair.times[last], f"an episode of the {who}", style)
        for who, scores, style in (
            ("challenger", pair.challenger, "stretch-other"),
            ("champion", pair.champion, "stretch"),
        )
        for first, last in shadow.stretches(scores)
    ]
    drawn = charts.Chart(
        series=Series(pair.times, pair.champion, quality),
        unit="",
        zone=zone_of(row.sensor.site.timezone),
        title=f"Scores of {row.sensor.external_id}",
        levels=[charts.Level(ALARM_LEVEL, "anomalous from")],
        stretches=stretches,
        ahead=Series(pair.times, pair.challenger, quality),
    )
    return mark_safe(charts.draw(drawn))  # noqa: S308  charts.draw escapes every text

"""The sensors' admin as the top layer sees it: with how they are scored and what was found."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from anomalies import achieved, detection_policy, presentation
from anomalies.admin.outlook import outlook
from anomalies.models import Anomaly
from anomalies.rungs import standing_of
from mlops import served, shadow
from mlops.detectors.newcomer import ROWS
from mlops.models import FleetPrior, ShadowScores
from sensors.admin import SensorAdmin, cells
from sensors.charts import Stretch
from sensors.models import Sensor
from sensors.presentation import number, zone_of
from sensors.series import to_datetime64

SHOWN_ANOMALIES = 10
MARKED_ANOMALIES = 200
SHADOWED = ("name", "version", "champion_version", "sensor_id")

admin.site.unregister(Sensor)


@admin.register(Sensor)
class ReviewedSensorAdmin(SensorAdmin):
    list_display = (*SensorAdmin.list_display, "rung", "waiting")
    list_filter = (*SensorAdmin.list_filter, "detection__rung")
    list_select_related = ("asset", "site", "profile", "detection")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        open_ones = Q(anomalies__withdrawn_at__isnull=True, anomalies__verdict="")
        silent = Anomaly.objects.open().filter(sensor=OuterRef("pk"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                waiting_count=Count("anomalies", filter=open_ones, distinct=True),
                silent=Exists(silent),
            )
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        sensor: Sensor | None = kwargs.get("obj")
        if sensor is not None:
            found = Anomaly.objects.for_user(request.user).for_list().standing()
            context["anomalies"] = [
                self._line(anomaly) for anomaly in found.filter(sensor=sensor)[:SHOWN_ANOMALIES]
            ]
            context["all_anomalies"] = _list_of(sensor)
            context["scoring"] = scoring(sensor)
            context["outlook"] = outlook(sensor)
            context["said"] = sensor.validation_profiles.filter(kind=sensor.kind)
        return super().render_change_form(request, context, *args, **kwargs)

    def is_silent(self, sensor: Any) -> bool:
        return bool(sensor.silent)

    def stretches(self, sensor: Sensor) -> list[Stretch]:
        newest = Anomaly.objects.standing().filter(sensor=sensor)[:MARKED_ANOMALIES]
        return [
            Stretch(to_datetime64(a.start), to_datetime64(a.end), f"severity {a.severity}")
            for a in newest
        ]

    def _line(self, anomaly: Anomaly) -> dict[str, Any]:
        return {
            "address": reverse("admin:anomalies_anomaly_change", args=[anomaly.pk]),
            "severity": presentation.severity(anomaly.severity),
            "when": presentation.when(anomaly, timezone.now()),
            "values": presentation.values(anomaly),
            "status": presentation.status(anomaly),
            "verdict": presentation.verdict(anomaly.verdict),
        }

    @admin.display(description="rung", ordering="detection__rung")
    def rung(self, sensor: Sensor) -> SafeString:
        lease = getattr(sensor, "detection", None)
        if lease is None or not lease.rung:
            return format_html('<span class="quiet">{}</span>', "not scored yet")
        return format_html(
            '<span class="rung rung-{}" title="{}">{}</span>',
            lease.rung,
            lease.rung_reason,
            lease.rung,
        )

    @admin.display(description="to review", ordering="waiting_count")
    def waiting(self, sensor: Any) -> SafeString | str:
        if not sensor.waiting_count:
            return cells.DASH
        return format_html('<a href="{}">{}</a>', _list_of(sensor), sensor.waiting_count)


def _list_of(sensor: Sensor) -> str:
    return f"{reverse('admin:anomalies_anomaly_changelist')}?sensor__id__exact={sensor.pk}"


def scoring(sensor: Sensor) -> list[tuple[str, SafeString | str]]:
    """How it is scored and why so, as (name, text)."""
    lease = getattr(sensor, "detection", None)
    rung = "not scored yet"
    if lease and lease.rung:
        rung = f"{lease.rung}: {presentation.RUNGS.get(lease.rung, '')}"
    lines: list[tuple[str, SafeString | str]] = [("rung", rung), *_champion(sensor)]
    if lease and lease.rung_reason:
        lines.append(("why not higher", f"when it was last scored: {lease.rung_reason}"))
    if lease and lease.attempts:
        lines.append(("attempts since it was last scored", str(lease.attempts)))
    return [*lines, *_challengers(sensor), *_next_rung(sensor), _false_alarms(sensor)]


def _champion(sensor: Sensor) -> list[tuple[str, str]]:
    text = served.chosen(sensor.pk, sensor.kind)
    return [("champion", text)] if text else []


def _challengers(sensor: Sensor) -> list[tuple[str, SafeString]]:
    """Those whose scores beside the champion's are kept, each with a link to them."""
    rows = list(ShadowScores.objects.filter(sensor=sensor).newest_of_each().only("pk", *SHADOWED))
    counts = shadow.counted(rows)
    return [
        (
            "challenger",
            format_html(
                '<a href="{}">{} v{}</a>, {} readings beside v{}',
                reverse("admin:mlops_shadowscores_change", args=[row.pk]), row.name, row.version,
                f"{counts[row.name, row.version, sensor.pk].readings:,}", row.champion_version,
            ),
        )
        for row in rows
    ]  # fmt: skip


def _false_alarms(sensor: Sensor) -> tuple[str, str]:
    """What the thresholds promise beside what nobody confirmed."""
    found = achieved.of(sensor, detection_policy.parse(settings.DETECTION_POLICY))
    text = f"{number(found.promised)} promised"
    if found.achieved is not None:
        text += f", {number(found.achieved)} given by the last {number(found.days)} days"
    return "false alarms in 30 days", text


def _next_rung(sensor: Sensor) -> list[tuple[str, str]]:
    found = standing_of(sensor, detection_policy.parse(settings.DETECTION_POLICY))
    lent = [] if found.fleet is None else [("fleet", _lent(found.fleet))]
    if found.next_rung is None:
        return lent
    text = f"{found.next_rung}, needs {found.missing}"
    if found.expected_at is not None:
        expected = found.expected_at.astimezone(zone_of(sensor.site.timezone))
        text += f", expected by {expected:%Y-%m-%d %H:%M}"
    return [*lent, ("next rung", text)]


def _lent(prior: FleetPrior) -> str:
    return (
        f"what {len(prior.sensors)} sensors of kind {prior.kind} at {prior.site} have in common "
        f"(v{prior.pk}, {prior.made_at:%Y-%m-%d}) helps to judge its first {ROWS} readings"
    )

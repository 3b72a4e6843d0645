"""Thresholds that verdicts moved: what they changed, and the way back."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Case, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString

from anomalies import recalibration
from anomalies.admin.budgets import budget_view
from anomalies.agreement import agreement
from anomalies.models import Anomaly, Calibration, Decision, Verdict
from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.read_only import ReadOnly
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.presentation import local, zone_of


@admin.register(Calibration)
class CalibrationAdmin(ReadOnly, SiteScopedAdmin):
    change_list_template = "admin/anomalies/calibration/change_list.html"
    empty = Empty(
        headline="No threshold was moved.",
        text="Verdicts move thresholds every night where that leaves out more of what was "
        "refuted; an alert budget moves them at once.",
        command="manage.py recalibrate",
    )
    list_display = ("scope", "moved", "tried", "made", "standing")
    list_filter = ("kind", ("site", VisibleRelatedFilter))
    list_select_related = ("site", "sensor", "made_by", "reverted_by")
    actions = ("revert",)
    fields = ("scope", "moved", "tried", "made", "standing", "before", "report")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        newest = Calibration.objects.in_force().values("pk")
        is_newest = Case(When(pk__in=newest, then=True), default=False)
        return super().get_queryset(request).annotate(is_in_force=is_newest)

    def has_revert_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("anomalies.change_calibration")

    def get_urls(self) -> list[URLPattern]:
        address = path(
            "budget/",
            self.admin_site.admin_view(partial(budget_view, self)),
            name="anomalies_calibration_budget",
        )
        return [address, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        visible = Anomaly.objects.for_user(request.user)
        found = agreement(now=timezone.now(), visible=visible)
        table = [
            (label, [found.counts.get((name, said), 0) for said in _SAID])
            for name, label in Decision.choices
        ]
        context = {"agreement": found, "table": table, **(extra_context or {})}
        return super().changelist_view(request, context)

    @admin.action(description="Take back: thresholds as they were before", permissions=["revert"])
    def revert(self, request: HttpRequest, rows: QuerySet[Calibration]) -> None:
        numbers = list(rows.values_list("pk", flat=True))
        person: Any = request.user
        done = recalibration.revert(numbers, person=person, now=timezone.now())
        for row in done:
            self.log_change(request, row, "Taken back.")
        self.message_user(request, f"{len(done)} taken back.", messages.SUCCESS)

    @admin.display(description="of")
    def scope(self, row: Calibration) -> SafeString:
        return cells.two_lines(str(row.sensor or "every sensor"), f"{row.kind} · {row.site}")

    @admin.display(description="suspected false below")
    def moved(self, row: Calibration) -> str:
        return f"{row.before['false_positive']:.2f} → {row.false_positive_threshold:.2f}"

    @admin.display(description="tried on verdicts held back")
    def tried(self, row: Calibration) -> SafeString:
        before, after = row.report["before"], row.report["after"]
        if "budget_per_week" in row.report:
            told = f"{before['per_week']:.3g} → {after['per_week']:.3g} episodes a week"
            return cells.two_lines(told, f"by a budget; {after['missed']} confirmed missed")
        spared = f"{before['spared']} → {after['spared']} of {after['refuted']} refuted left out"
        missed = f"{len(after['missed'])} of {after['confirmed']} confirmed missed"
        return cells.two_lines(spared, missed)

    @admin.display(description="made", ordering="made_at")
    def made(self, row: Calibration) -> SafeString:
        when = local(row.made_at, zone_of(row.site.timezone))
        return cells.two_lines(when, f"by {row.made_by or 'the scheduler'}")

    @admin.display(description="state")
    def standing(self, row: Any) -> SafeString:
        if row.reverted_at is not None:
            who = row.reverted_by or "the command"
            return cells.badge("taken back", "badge-dim", title=f"by {who}")
        if row.is_in_force:
            return cells.badge("in force", "badge-good", title="Later anomalies are judged by it.")
        return cells.badge("replaced", "badge-note", title="A newer one is in force.")


_SAID = (Verdict.CONFIRMED.value, Verdict.FALSE_POSITIVE.value)

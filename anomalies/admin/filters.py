"""Filters of the anomaly list. What is not asked for is what waits for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from anomalies.models import Nature, Verdict
from anomalies.presentation import SEVERITIES, STATUSES, VERDICTS
from sensors.models import Sensor


class DefaultFilter(admin.SimpleListFilter):
    """A filter whose first choice is not "all" but the usual one, named by `usual`."""

    usual = ""

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        first, *others = super().choices(changelist)
        yield {**first, "display": self.usual}
        yield from others  # type: ignore[misc]


class ReviewFilter(DefaultFilter):
    title = "review"
    parameter_name = "review"
    usual = "Awaiting review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        verdicts = [(value, VERDICTS[value][0].capitalize()) for value in Verdict.values]
        return [("reviewed", "Reviewed"), *verdicts, ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen == "all":
            return queryset
        if chosen == "reviewed":
            return queryset.exclude(verdict="")
        if chosen in VERDICTS and chosen:
            return queryset.filter(verdict=chosen)
        # As in `awaiting_review`: one row for each cause.
        return queryset.filter(verdict="", follows__isnull=True)


class StandingFilter(DefaultFilter):
    title = "standing"
    parameter_name = "standing"
    usual = "Standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("withdrawn", "Withdrawn"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(withdrawn_at__isnull=self.value() != "withdrawn")


class SeverityFilter(admin.SimpleListFilter):
    title = "severity"
    parameter_name = "severity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (str(level), f"{level} {name}" + (" or more" if level < 5 else ""))
            for level, name in sorted(SEVERITIES.items(), reverse=True)
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or ""
        return (
            queryset.filter(severity__gte=int(chosen)) if chosen in "12345" and chosen else queryset
        )


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key or "none", name.capitalize()) for key, (name, _, _) in STATUSES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset if chosen is None else queryset.filter(status=chosen.replace("none", ""))


class QueueFilter(admin.SimpleListFilter):
    """Who is to look: those who mend machines, or those who mend sensors."""

    title = "queue"
    parameter_name = "nature"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = {Nature.MACHINE: "Machines", Nature.INSTRUMENT: "Instruments"}
        return [(value, names.get(Nature(value), "Predictions")) for value in Nature.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(nature=self.value()) if self.value() else queryset


class KindFilter(admin.SimpleListFilter):
    """The kinds that the person's sensors have, not the whole catalogue."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        kinds = (
            Sensor.objects.for_user(request.user).order_by("kind").values_list("kind", flat=True)
        )
        return [(kind, kind) for kind in kinds.distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(sensor__kind=self.value()) if self.value() else queryset

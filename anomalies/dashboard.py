"""The strip above the admin's index: what needs a person now, from a handful of cheap queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q

from anomalies.agreement import Agreement, agreement
from anomalies.models import Anomaly, Episode, Queue
from mlops.models import Promotion
from sensors.models import QuarantinedReading, ScoringNote, Sensor
from sensors.presentation import age


@dataclass(frozen=True, slots=True)
class Dashboard:
    severities: list[tuple[int, int]]
    open_anomalies: int
    episodes: dict[str, int]
    active: int
    silent: int
    discovered: int
    backlog: int
    backlog_age: str
    held: int
    quarantined: int
    agreement: Agreement
    champions: list[tuple[str, int]]


def dashboard(user: Any, now: datetime) -> Dashboard:
    """What a person sees of their sites."""
    levels = _by_severity(user)
    sensors = _sensors(user)
    notes = _notes(user)
    return Dashboard(
        severities=[(level, levels.get(level, 0)) for level in (5, 4, 3, 2, 1)],
        open_anomalies=sum(levels.values()),
        episodes=_episodes(user),
        active=sensors["active"],
        silent=sensors["silent"],
        discovered=sensors["discovered"],
        backlog=notes["open"],
        backlog_age=age(notes["oldest"], now) if notes["oldest"] else "",
        held=notes["held"],
        quarantined=QuarantinedReading.objects.for_user(user).waiting().count(),
        agreement=agreement(now=now, visible=Anomaly.objects.for_user(user)),
        champions=_champions(),
    )


def _by_severity(user: Any) -> dict[int, int]:
    waiting = Anomaly.objects.for_user(user).standing().awaiting_review()
    rows = waiting.order_by().values("severity").annotate(n=Count("pk", distinct=True))
    return dict(rows.values_list("severity", "n"))


def _episodes(user: Any) -> dict[str, int]:
    """Unresolved ones: of machines, those of them that nobody has in hand, and of instruments."""
    machine = Q(queue=Queue.MACHINE)
    return (
        Episode.objects.for_user(user)
        .open()
        .aggregate(
            open=Count("pk", filter=machine),
            untouched=Count("pk", filter=machine & Q(state__in=("open", "reopened"))),
            instruments=Count("pk", filter=Q(queue=Queue.INSTRUMENT)),
        )
    )


def _sensors(user: Any) -> dict[str, int]:
    silent = Anomaly.objects.open().filter(sensor=OuterRef("pk"))
    active = Q(status=Sensor.Status.ACTIVE)
    rows = Sensor.objects.for_user(user).scored().annotate(is_silent=Exists(silent))
    return rows.aggregate(
        active=Count("pk", filter=active, distinct=True),
        silent=Count("pk", filter=Q(is_silent=True), distinct=True),
        discovered=Count("pk", filter=Q(status=Sensor.Status.DISCOVERED), distinct=True),
    )


def _notes(user: Any) -> dict[str, Any]:
    sensors = Sensor.objects.for_user(user).values("pk")
    rows = ScoringNote.objects.filter(sensor__in=sensors)
    open_ones = rows.open()
    return {
        "open": open_ones.values("sensor").distinct().count(),
        "held": rows.filter(held=True).values("sensor").distinct().count(),
        "oldest": open_ones.order_by("created_at").values_list("created_at", flat=True).first(),
    }


def _champions() -> list[tuple[str, int]]:
    """(kind, version) of the champion of each kind; models of single sensors are left out."""
    newest = (
        Promotion.objects.filter(name__startswith="anomaly-")
        .exclude(name__startswith="anomaly-sensor-")
        .order_by("name", "-promoted_at", "-id")
        .distinct("name")
    )
    return [(p.name.removeprefix("anomaly-"), p.version) for p in newest]

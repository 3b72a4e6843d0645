"""Windows open, end early, report what they hid, and remind their owners."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from anomalies.models import Anomaly, MaintenanceWindow, Message, WindowOccurrence
from anomalies.windows import calendar
from sensors.presentation import local, zone_of

AHEAD, BACK = timedelta(days=60), timedelta(days=366)
# Detection and validation come a little after the readings.
SETTLES = timedelta(minutes=10)
MOST_NAMED = 200


@transaction.atomic
def plan(window: MaintenanceWindow, *, now: datetime) -> int:
    """Make its occurrences those that it states; how many are new. Those that are over stay.

    Anomalies that lie in what changed are looked at again, in the past as well.
    """
    stated = _stated(window, now)
    gone = window.occurrences.filter(reported_at__isnull=True).exclude(start__in=dict(stated))
    spans = [*stated, *gone.values_list("start", "end")]
    gone.delete()
    made = 0
    for start, end in stated:
        row, is_new = window.occurrences.get_or_create(
            start=start, defaults={"end": end, "planned_end": end}
        )
        made += is_new
        if not is_new and row.planned_end != end and row.reported_at is None:
            window.occurrences.filter(pk=row.pk).update(end=end, planned_end=end)
    for start, end in spans:
        _look_again(window, start, end, now=now)
    return made


def _stated(window: MaintenanceWindow, now: datetime) -> list[tuple[datetime, datetime]]:
    if window.calendar:
        zone = zone_of(window.site.timezone)
        return calendar.occurrences(window.calendar, zone, now - BACK, now + AHEAD)
    if window.starts_at is None or window.ends_at is None:
        return []
    return [(window.starts_at, window.ends_at)]


def _look_again(
    window: MaintenanceWindow, start: datetime, end: datetime, *, now: datetime
) -> None:
    if start > now:
        return
    rows = Anomaly.objects.standing().filter(
        sensor__site=window.site, start__lte=end, end__gte=start, decision__gt=""
    )
    if window.asset_id:
        rows = rows.filter(sensor__asset=window.asset_id)
    rows.update(episode_due_at=now)


@transaction.atomic
def remove(window: MaintenanceWindow, *, now: datetime) -> None:
    """Take a window back: what it hid is looked at again."""
    for start, end in window.occurrences.values_list("start", "end"):
        _look_again(window, start, end, now=now)
    window.delete()


@transaction.atomic
def end(window: MaintenanceWindow, *, now: datetime) -> int:
    """End what is open of it now; how many occurrences. What goes on is no longer hidden."""
    running = window.occurrences.select_for_update().filter(start__lte=now, end__gt=now)
    spans = list(running.values_list("pk", "start", "end"))
    window.occurrences.filter(pk__in=[pk for pk, *_ in spans]).update(end=now)
    for _, start, planned in spans:
        _look_again(window, start, planned, now=now)
    return len(spans)


def keep(*, now: datetime) -> int:
    """What the clock brings; how many occurrences changed."""
    for window in MaintenanceWindow.objects.exclude(calendar=""):
        if not window.occurrences.filter(start__gt=now + AHEAD / 2).exists():
            plan(window, now=now)
    running = WindowOccurrence.objects.filter(start__lte=now, end__gt=now)
    unused = running.filter(window__end_unused_minutes__isnull=False)
    over = WindowOccurrence.objects.filter(end__lte=now - SETTLES, reported_at__isnull=True)
    late = WindowOccurrence.objects.filter(
        hidden__surfaced_at__isnull=False, end__lte=now, reminded_at__isnull=True
    ).distinct()
    changed = sum(_end_if_unused(pk, now=now) for pk in unused.values_list("pk", flat=True))
    changed += sum(_report(pk, now=now) for pk in over.values_list("pk", flat=True))
    return changed + sum(_remind(pk, now=now) for pk in late.values_list("pk", flat=True))


def _locked(number: int) -> WindowOccurrence | None:
    rows = WindowOccurrence.objects.select_for_update(skip_locked=True, of=("self",))
    found: WindowOccurrence | None = rows.filter(pk=number).order_by("pk").first()
    return found


@transaction.atomic
def _end_if_unused(number: int, *, now: datetime) -> bool:
    row = _locked(number)
    if row is None or row.window.end_unused_minutes is None:
        return False
    newest = row.hidden.order_by("-at").values_list("at", flat=True).first()
    used_at = max(newest or row.start, row.start)
    if now - used_at < timedelta(minutes=row.window.end_unused_minutes):
        return False
    row.end = now
    row.save(update_fields=["end"])
    return True


@transaction.atomic
def _report(number: int, *, now: datetime) -> bool:
    row = _locked(number)
    if row is None or row.reported_at is not None:
        return False
    row.report, row.reported_at = report_of(row), now
    row.save(update_fields=["report", "reported_at"])
    if row.report["hidden"]:
        _write(row, f"hid {row.report['hidden']} anomalies", _lines(row.report), now=now)
    return True


@transaction.atomic
def _remind(number: int, *, now: datetime) -> bool:
    row = _locked(number)
    if row is None or row.reminded_at is not None:
        return False
    row.reminded_at = now
    row.save(update_fields=["reminded_at"])
    text = "Anomalies that began in it go on after its end. Extend it, or look at its machine."
    _write(row, "is overrun", [text], now=now)
    return True


def report_of(row: WindowOccurrence) -> dict[str, Any]:
    """What an occurrence hid, as data."""
    hidden = row.hidden.select_related("anomaly__sensor").order_by("anomaly__start")
    standing = [one for one in hidden if one.anomaly.withdrawn_at is None]
    return {
        "hidden": len(standing),
        "surfaced": sum(one.surfaced_at is not None for one in standing),
        "withdrawn": len(hidden) - len(standing),
        "ended_early": row.end < row.planned_end,
        "anomalies": [
            {
                "id": one.anomaly_id,
                "sensor": one.anomaly.sensor.external_id,
                "start": one.anomaly.start.isoformat(),
                "severity": one.anomaly.severity,
                "sentence": str(one.anomaly.explanation.get("sentence", "")),
            }
            for one in standing[:MOST_NAMED]
        ],
    }


def _lines(report: dict[str, Any]) -> list[str]:
    return [
        f"{one['sensor']}, severity {one['severity']}: {one['sentence']}"
        for one in report["anomalies"]
    ]


def _write(row: WindowOccurrence, news: str, lines: list[str], *, now: datetime) -> None:
    """To its owner, by the outbox."""
    window = row.window
    if window.owner is None or not window.owner.email:
        return
    zone = zone_of(window.site.timezone)
    head = f"{window.reason} ({local(row.start, zone)} to {local(row.end, zone)})"
    subject = f"[{window.site}] {window.reason} {news}".replace("\n", " ")
    Message.objects.create(
        site=window.site,
        to=window.owner.email,
        content={"subject": subject, "body": "\n".join([f"{head} {news}.", *lines])},
        next_attempt_at=now,
        created_at=now,
    )

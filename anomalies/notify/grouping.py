"""From what is to be told to messages: what one route has for one site at a time is one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from anomalies.episodes import evidence
from anomalies.models import EpisodeEvent, Message, Notification, NotificationRoute
from anomalies.notify import pacing as paces
from anomalies.notify import wording
from anomalies.notify.pacing import Pacing
from anomalies.notify.wording import Told
from sensors.models import Sensor, Site
from sensors.presentation import zone_of

MOST_SENSORS = 8


def gather(*, now: datetime, pacing: Pacing) -> int:
    """Make messages of what has waited long enough; how many."""
    routes = Notification.objects.waiting().order_by().values_list("route", flat=True).distinct()
    return sum(_gather(route, pacing, now=now) for route in sorted(routes))


@transaction.atomic
def _gather(number: int, pacing: Pacing, *, now: datetime) -> int:
    """One worker a route: it would otherwise be said twice, in two groups."""
    locked = NotificationRoute.objects.select_for_update(skip_locked=True, no_key=True)
    route = locked.filter(pk=number).order_by("pk").first()
    if route is None:
        return 0
    rows = route.notifications.waiting().select_related("event", "episode__site")
    by_site: dict[Site, list[Notification]] = {}
    for row in rows.order_by("created_at", "pk"):
        by_site.setdefault(row.episode.site, []).append(row)
    return sum(_say(route, site, rows, pacing, now=now) for site, rows in by_site.items())


def _say(
    route: NotificationRoute,
    site: Site,
    rows: Sequence[Notification],
    pacing: Pacing,
    *,
    now: datetime,
) -> bool:
    """Whether it was time for a message."""
    last = route.messages.filter(site=site).values_list("created_at", flat=True).first()
    there = now.astimezone(zone_of(site.timezone))
    open_now = paces.is_within(there, route.weekdays, route.hours_from, route.hours_until)
    if not open_now or now < paces.ready_at(rows[0].created_at, last, pacing):
        return False
    kept = [row for row in rows if not _dropped(row)]
    if not kept:
        return False
    told = [_told(row, site) for row in kept]
    content = {
        "subject": wording.subject(told),
        "body": wording.body(told),
        "payload": wording.payload(told, now),
    }
    message = Message.objects.create(
        route=route, site=site, content=content, next_attempt_at=now, created_at=now
    )
    Notification.objects.filter(pk__in=[row.pk for row in kept]).update(message=message)
    return True


def _dropped(row: Notification) -> bool:
    """What is no longer so is not said; the row keeps why."""
    reason = ""
    if row.event.kind != EpisodeEvent.Kind.RESOLVED and not row.episode.is_open:
        reason = "resolved before it was said"
    elif row.episode.snoozed_until is not None:
        reason = "snoozed before it was said"
    elif row.turn and row.episode.is_handled:
        reason = "acknowledged before it was said again"
    if reason:
        Notification.objects.filter(pk=row.pk).update(dropped=reason)
    return bool(reason)


def _told(row: Notification, site: Site) -> Told:
    episode = row.episode
    order = evidence.order_of(episode)[:MOST_SENSORS]
    names = Sensor.objects.in_bulk([mover.sensor for mover in order])
    first = evidence.of(episode).order_by("start", "sensor").first()
    return Told(
        episode=episode.pk,
        event=row.event.kind,
        turn=row.turn,
        subject=str(episode.subject),
        site=site.name,
        zone=zone_of(site.timezone),
        severity=episode.severity,
        state=episode.state,
        started_at=episode.started_at,
        confidence=episode.confidence,
        sensors=[names[mover.sensor].external_id for mover in order]
        or [episode.first_sensor.external_id],
        sentence=str(first.explanation.get("sentence", "")) if first else "",
        url=page_of(episode.pk),
    )


def page_of(number: int) -> str:
    """Where the episode can be seen."""
    if not settings.PUBLIC_URL:
        return ""
    return settings.PUBLIC_URL.rstrip("/") + reverse(
        "admin:anomalies_episode_change", args=[number]
    )

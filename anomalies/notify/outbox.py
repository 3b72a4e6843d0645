"""Writing down what is to be told, in the transaction that changes the episode."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from anomalies.models import Episode, EpisodeEvent, Notification, NotificationRoute
from anomalies.notify import pacing as paces
from anomalies.notify.pacing import Pacing
from anomalies.querysets import RouteQuerySet

Kind = EpisodeEvent.Kind
NEWS = (Kind.OPENED, Kind.REOPENED, Kind.SEVERITY, Kind.WOKE)


def pacing() -> Pacing:
    return paces.parse(settings.NOTIFY_POLICY)


def tell(event: EpisodeEvent) -> None:
    """Note an event for each route that it concerns. Call it in the event's transaction."""
    episode, now = event.episode, event.at
    if event.kind == Kind.RESOLVED:
        told = Q(notifications__episode=episode, notifications__message__isnull=False)
        routes = NotificationRoute.objects.filter(told, enabled=True, send_resolved=True)
        _note(event, routes.distinct(), turn=0, now=now)
    elif event.kind in NEWS and _is_news(event) and is_recent(episode, now):
        waiting = Notification.objects.waiting().filter(episode=episode)
        # What waits is said as things are when it is said: one message tells both.
        routes = routes_of(episode).filter(after_minutes=0)
        _note(event, routes.exclude(pk__in=waiting.values("route")), turn=0, now=now)


def routes_of(episode: Episode) -> RouteQuerySet:
    """The routes that an episode as it is now concerns."""
    return NotificationRoute.objects.filter(
        Q(site__isnull=True) | Q(site=episode.site_id),
        Q(asset__isnull=True) | Q(asset=episode.asset_id),
        Q(queue="") | Q(queue=episode.queue),
        enabled=True,
        min_severity__lte=episode.severity,
    )


def is_recent(episode: Episode, now: datetime) -> bool:
    """History that is read in, and what is found when it is scored again, is told to nobody."""
    return now - episode.last_at <= timedelta(seconds=pacing().max_age_s)


def _is_news(event: EpisodeEvent) -> bool:
    if not event.episode.is_open or event.episode.snoozed_until is not None:
        return False
    return event.kind != Kind.SEVERITY or event.data["after"] > event.data["before"]


def _note(
    event: EpisodeEvent, routes: Iterable[NotificationRoute], *, turn: int, now: datetime
) -> int:
    rows = [
        Notification(
            event=event, episode_id=event.episode_id, route=route, turn=turn, created_at=now
        )
        for route in routes
    ]
    return len(Notification.objects.bulk_create(rows, ignore_conflicts=True))


def remind(*, now: datetime) -> int:
    """Escalate and repeat what nobody has acknowledged; how many notifications."""
    awake = Episode.objects.untouched().filter(snoozed_until__isnull=True).order_by("pk")
    return sum(_escalate(one, now=now) + _repeat(one, now=now) for one in awake)


def _escalate(episode: Episode, *, now: datetime) -> int:
    began = episode.events.filter(kind__in=(Kind.OPENED, Kind.REOPENED)).last()
    if began is None or not is_recent(episode, now):
        return 0
    waited = (now - began.at).total_seconds() / 60
    routes = routes_of(episode).filter(after_minutes__gt=0, after_minutes__lte=waited)
    return _note(began, routes.exclude(notifications__event=began), turn=0, now=now)


def _repeat(episode: Episode, *, now: datetime) -> int:
    """Say again by each route what it said last, once that is long enough ago."""
    said = Notification.objects.filter(episode=episode, message__sent_at__isnull=False)
    newest = said.order_by("route_id", "-created_at", "-pk").distinct("route_id")
    waiting = set(
        Notification.objects.waiting().filter(episode=episode).values_list("route", flat=True)
    )
    noted = 0
    for one in newest.select_related("event", "route", "message"):
        repeat = timedelta(minutes=one.route.repeat_minutes)
        is_over = one.event.kind == Kind.RESOLVED  # and came back without being told
        off = not one.route.enabled or not repeat or one.route_id in waiting or is_over
        sent_at = one.message.sent_at if one.message else None
        if off or sent_at is None or now - sent_at < paces.repeats_after(one.turn, repeat):
            continue
        noted += _note(one.event, [one.route], turn=one.turn + 1, now=now)
    return noted

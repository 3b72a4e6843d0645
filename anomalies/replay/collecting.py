"""Reading what was found and told out of the tables: the real ones, or those of a replay."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from anomalies.models import Anomaly, Episode, Nature, Notification
from anomalies.replay.records import AnomalySeen, EpisodeSeen, NotificationSeen, Seen


def collect(sites: Collection[int], *, since: datetime, until: datetime) -> Seen:
    """What began in the range: standing anomalies, the episodes that have any, and what was told
    of these by `until`. What goes on after `until` ends there.

    Predictions are left out: a replay makes no forecasts.
    """
    return Seen(
        tuple(_anomaly(one, until) for one in _anomalies(sites, since, until)),
        tuple(_episode(one, until) for one in _episodes(sites, since, until)),
        tuple(_notification(one, until) for one in _notifications(sites, since, until)),
    )


def _anomalies(sites: Collection[int], since: datetime, until: datetime) -> list[Anomaly]:
    rows = Anomaly.objects.standing().filter(sensor__site__in=sites, start__range=(since, until))
    rows = rows.exclude(nature=Nature.PREDICTED).select_related("sensor__site")
    return list(rows.order_by("start", "sensor__external_id", "detector"))


def _episodes(sites: Collection[int], since: datetime, until: datetime) -> list[Episode]:
    rows = Episode.objects.filter(site__in=sites, started_at__range=(since, until))
    measured = ~Q(nature=Nature.PREDICTED) & Q(withdrawn_at__isnull=True)
    with_evidence = Anomaly.objects.filter(measured, episode__isnull=False)
    rows = rows.filter(pk__in=with_evidence.values("episode"))
    rows = rows.select_related("site", "asset", "sensor", "first_sensor")
    return list(rows.order_by("started_at", "pk"))


def _notifications(sites: Collection[int], since: datetime, until: datetime) -> list[Notification]:
    rows = Notification.objects.filter(
        episode__site__in=sites, episode__started_at__range=(since, until), created_at__lte=until
    )
    related = ("route", "event", "message", "episode__site", "episode__asset", "episode__sensor")
    return list(rows.select_related(*related).order_by("created_at", "route__name", "pk"))


def _anomaly(row: Anomaly, until: datetime) -> AnomalySeen:
    return AnomalySeen(
        sensor=f"{row.sensor.site.slug}/{row.sensor.external_id}",
        start=row.start,
        peak=min(row.peak, until),
        end=min(row.end, until),
        score=row.score,
        severity=row.severity,
        nature=row.nature,
        detector=row.detector,
        rung=row.rung,
        decision=row.decision,
        confidence=row.confidence,
    )


def _episode(row: Episode, until: datetime) -> EpisodeSeen:
    return EpisodeSeen(
        subject=_subject(row),
        queue=row.queue,
        started_at=row.started_at,
        last_at=min(row.last_at, until),
        severity=row.severity,
        first_sensor=row.first_sensor.external_id,
        sensors=row.sensors,
        anomalies=row.anomalies_count,
        state=row.state,
        resolution=row.resolution,
        opened_at=row.opened_at,
        resolved_at=row.resolved_at,
    )


def _notification(row: Notification, until: datetime) -> NotificationSeen:
    said_at = row.message.created_at if row.message else None
    return NotificationSeen(
        route=row.route.name,
        subject=_subject(row.episode),
        queue=row.episode.queue,
        episode_started_at=row.episode.started_at,
        event=row.event.kind,
        turn=row.turn,
        noted_at=row.created_at,
        said_at=said_at if said_at is None or said_at <= until else None,
        dropped=row.dropped,
    )


def _subject(row: Episode) -> str:
    return f"{row.site.slug}/{row.subject}"

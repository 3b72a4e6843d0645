"""The one place where an episode's history is written, in the transaction that changes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from anomalies.models import Anomaly, Episode, EpisodeEvent, Resolution, State
from anomalies.notify import outbox

Kind = EpisodeEvent.Kind


def write(
    episode: Episode,
    kind: EpisodeEvent.Kind,
    *,
    now: datetime,
    person: User | None = None,
    anomaly: Anomaly | None = None,
    text: str = "",
    **data: Any,
) -> EpisodeEvent:
    """Add an event, and note who is to be told. person: None where the system did it."""
    event = EpisodeEvent.objects.create(
        episode=episode,
        kind=kind,
        at=now,
        person=person,
        anomaly=anomaly,
        text=text,
        data=data,
    )
    outbox.tell(event)
    return event


def resolve(
    episode: Episode,
    how: Resolution,
    *,
    now: datetime,
    person: User | None = None,
    text: str = "",
) -> None:
    before = episode.state
    episode.state, episode.resolution, episode.resolved_at = State.RESOLVED, how, now
    episode.snoozed_until, episode.changed_at = None, now
    episode.save(
        update_fields=["state", "resolution", "resolved_at", "snoozed_until", "changed_at"]
    )
    write(episode, Kind.RESOLVED, now=now, person=person, text=text, before=before, how=how.value)


def reopen(
    episode: Episode,
    *,
    now: datetime,
    person: User | None = None,
    anomaly: Anomaly | None = None,
    text: str = "",
) -> None:
    before = {"state": episode.state, "how": episode.resolution}
    episode.state, episode.resolution, episode.resolved_at = State.REOPENED, "", None
    episode.changed_at = now
    episode.save(update_fields=["state", "resolution", "resolved_at", "changed_at"])
    write(episode, Kind.REOPENED, now=now, person=person, anomaly=anomaly, text=text, **before)

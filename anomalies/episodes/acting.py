"""What people do with an episode. Each act is an event with its author; none is undone silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction

from anomalies.episodes import log
from anomalies.episodes.log import Kind
from anomalies.episodes.subjects import subject_of_episode
from anomalies.models import Episode, Resolution, State

LONGEST_TEXT = 4000
# From which states a person may take it where.
WAYS = {
    State.ACKNOWLEDGED: {State.OPEN, State.REOPENED},
    State.IN_PROGRESS: {State.OPEN, State.REOPENED, State.ACKNOWLEDGED},
    State.RESOLVED: {State.OPEN, State.REOPENED, State.ACKNOWLEDGED, State.IN_PROGRESS},
    State.REOPENED: {State.RESOLVED},
}


class Conflict(Exception):
    """The episode is not in a state in which that can be done."""


@contextmanager
def _held(episode: Episode) -> Iterator[Episode]:
    """The episode as it is now, while nobody else changes it."""
    with transaction.atomic():
        subject_of_episode(episode).lock(wait=True)
        yield Episode.objects.select_related("asset", "sensor").get(pk=episode.pk)


def acknowledge(episode: Episode, *, person: User, now: datetime, note: str = "") -> Episode:
    """Somebody has seen it: it escalates no further."""
    return _move(episode, State.ACKNOWLEDGED, Kind.ACKNOWLEDGED, person, note, now)


def start(episode: Episode, *, person: User, now: datetime, note: str = "") -> Episode:
    return _move(episode, State.IN_PROGRESS, Kind.STARTED, person, note, now)


def resolve(episode: Episode, *, person: User, now: datetime, note: str = "") -> Episode:
    with _held(episode) as found:
        if _to_do(found, State.RESOLVED):
            log.resolve(found, Resolution.PERSON, now=now, person=person, text=note)
    return found


def reopen(episode: Episode, *, person: User, now: datetime, note: str = "") -> Episode:
    """Raises Conflict also while another episode of the same machine is open."""
    with _held(episode) as found:
        if _to_do(found, State.REOPENED):
            other = subject_of_episode(found).episodes().open().first()
            if other is not None:
                raise Conflict(f"Episode {other.pk} of {found.subject} is open already.")
            log.reopen(found, now=now, person=person, text=note)
    return found


def assign(episode: Episode, *, to: User | None, person: User, now: datetime) -> Episode:
    """to: a member of its site, or None for nobody. Raises ValidationError for others."""
    if to is not None and not (to.is_superuser or episode.site.members.filter(pk=to.pk).exists()):
        raise ValidationError({"to": f"{to} does not belong to {episode.site}."})
    return _set(episode, "assignee", to, Kind.ASSIGNED, person, now, text=str(to or "nobody"))


def snooze(episode: Episode, *, until: datetime, person: User, now: datetime) -> Episode:
    """No messages before `until`. Raises ValidationError for the past, Conflict once resolved."""
    if until <= now:
        raise ValidationError({"until": "That is in the past."})
    return _set(
        episode, "snoozed_until", until, Kind.SNOOZED, person, now,
        text=until.isoformat(), allowed=lambda found: found.is_open,
    )  # fmt: skip


def comment(episode: Episode, *, text: str, person: User, now: datetime) -> Episode:
    if not text.strip():
        raise ValidationError({"text": "Nothing was said."})
    with _held(episode) as found:
        log.write(found, Kind.COMMENTED, now=now, person=person, text=text[:LONGEST_TEXT])
    return found


def link(episode: Episode, *, url: str, title: str, person: User, now: datetime) -> Episode:
    """A work order, a drawing, a page. Raises ValidationError for what is no http address."""
    URLValidator(schemes=["http", "https"])(url)
    with _held(episode) as found:
        log.write(found, Kind.LINKED, now=now, person=person, text=title or url, url=url)
    return found


def _move(
    episode: Episode, to: State, kind: log.Kind, person: User, note: str, now: datetime
) -> Episode:
    with _held(episode) as found:
        if _to_do(found, to):
            before, found.state = found.state, to
            found.changed_at = now
            found.save(update_fields=["state", "changed_at"])
            log.write(found, kind, now=now, person=person, text=note, before=before)
    return found


def _to_do(episode: Episode, to: State) -> bool:
    """False when it is there already: saying it twice is saying it once. Raises Conflict."""
    if episode.state == to or (to == State.REOPENED and episode.is_open):
        return False
    if episode.state not in WAYS[to]:
        raise Conflict(f"It is {episode.get_state_display().lower()}.")
    return True


def _set(
    episode: Episode,
    field: str,
    value: object,
    kind: log.Kind,
    person: User,
    now: datetime,
    *,
    text: str,
    allowed: Callable[[Episode], bool] = lambda _: True,
) -> Episode:
    with _held(episode) as found:
        if not allowed(found):
            raise Conflict(f"It is {found.get_state_display().lower()}.")
        if getattr(found, field) != value:
            setattr(found, field, value)
            found.changed_at = now
            found.save(update_fields=[field, "changed_at"])
            log.write(found, kind, now=now, person=person, text=text)
    return found

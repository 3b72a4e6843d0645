"""What time brings: episodes that calmed down are resolved, snoozes end."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from anomalies.episodes import evidence, log
from anomalies.episodes.log import Kind
from anomalies.episodes.policy import EpisodePolicies
from anomalies.episodes.subjects import subject_of_episode
from anomalies.models import Episode, Resolution
from anomalies.querysets import EpisodeQuerySet


def settle(*, now: datetime, policies: EpisodePolicies) -> int:
    """Resolve what nobody has in hand and is over, and wake what was snoozed; how many."""
    waiting = Episode.objects.untouched().order_by("pk").values_list("pk", flat=True)
    calmed = sum(_calm(number, policies, now=now) for number in waiting)
    asleep = Episode.objects.open().filter(snoozed_until__lte=now).order_by("pk")
    return calmed + sum(_wake(number, now=now) for number in asleep.values_list("pk", flat=True))


@transaction.atomic
def _calm(number: int, policies: EpisodePolicies, *, now: datetime) -> bool:
    """Whether it was over. What another worker holds is looked at next time."""
    episode = _locked(Episode.objects.untouched(), number)
    if episode is None or not evidence.is_calm(episode, policies):
        return False
    log.resolve(episode, Resolution.CALMED, now=now)
    return True


@transaction.atomic
def _wake(number: int, *, now: datetime) -> bool:
    episode = _locked(Episode.objects.open().filter(snoozed_until__lte=now), number)
    if episode is None:
        return False
    episode.snoozed_until, episode.changed_at = None, now
    episode.save(update_fields=["snoozed_until", "changed_at"])
    log.write(episode, Kind.WOKE, now=now)
    return True


def _locked(rows: EpisodeQuerySet, number: int) -> Episode | None:
    """The episode, if nobody else is at its machine; read after the lock."""
    found = Episode.objects.filter(pk=number).first()
    if found is None or not subject_of_episode(found).lock(wait=False):
        return None
    episode: Episode | None = rows.filter(pk=number).select_related("asset").first()
    return episode

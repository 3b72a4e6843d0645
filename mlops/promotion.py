"""Who is champion: the alias in the registry first, then the trace of it here."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from mlops import gate, registry, serving
from mlops.models import Promotion
from mlops.signals import champion_changed

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class NotBetter(Exception):
    """The gate refuses the version; the message says why, `verdict` what it was compared by."""

    def __init__(self, name: str, verdict: gate.Verdict) -> None:
        super().__init__(f"{name} keeps its champion: {verdict.reason}")
        self.verdict = verdict


class NothingToRollBackTo(LookupError):
    """The model has no champion before the one it has."""


def promote(
    name: str,
    version: int,
    *,
    person: User | None = None,
    reason: str,
    now: datetime,
    force: bool = False,
) -> Promotion:
    """Make a version champion that the gate lets through; NotBetter where it does not.

    force: against the gate, which is kept with what it said. Refused or Unavailable if detection
    could not load the version.
    """
    verdict = gate.judge(name, version, now=now)
    if not verdict.passes and not force:
        raise NotBetter(name, verdict)
    newest = _newest(name)
    if newest is not None and newest.version == version:
        previous = newest.previous_version
    else:
        previous = newest.version if newest else None
    made = Promotion(person=person, reason=reason, gate=verdict.reason, forced=not verdict.passes)
    return _make_champion(made, name, version, previous, now=now)


def roll_back(name: str, *, person: User | None = None, reason: str, now: datetime) -> Promotion:
    """Back to the champion before; done again, to the one before that."""
    newest = _newest(name)
    if newest is None or newest.previous_version is None:
        raise NothingToRollBackTo(f"{name} has no champion before the one it has")
    target = newest.previous_version
    earlier = Promotion.objects.filter(name=name, version=target, id__lt=newest.pk).first()
    before = earlier.previous_version if earlier else None
    made = Promotion(person=person, reason=reason)
    return _make_champion(made, name, target, before, now=now)


def _newest(name: str) -> Promotion | None:
    return Promotion.objects.filter(name=name).first()


def _make_champion(
    made: Promotion, name: str, version: int, previous: int | None, *, now: datetime
) -> Promotion:
    serving.load(name, version)
    registry.set_alias(name, registry.CHAMPION, version)
    made.name, made.version, made.previous_version = name, version, previous
    made.promoted_at = now
    with transaction.atomic():
        made.save()
        transaction.on_commit(lambda: champion_changed.send(sender=Promotion, name=name))
    return made

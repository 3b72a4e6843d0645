"""Who is champion: the alias in the registry first, then the trace of it here."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from mlops import registry, serving
from mlops.models import Promotion
from mlops.signals import champion_changed

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class NothingToRollBackTo(LookupError):
    """The model has no champion before the one it has."""


def promote(
    name: str,
    version: int,
    *,
    person: User | None = None,
    reason: str,
    now: datetime,
) -> Promotion:
    """Make a version champion. Refused or Unavailable if detection could not load it."""
    newest = _newest(name)
    if newest is not None and newest.version == version:
        previous = newest.previous_version
    else:
        previous = newest.version if newest else None
    return _make_champion(name, version, previous, person=person, reason=reason, now=now)


def roll_back(name: str, *, person: User | None = None, reason: str, now: datetime) -> Promotion:
    """Back to the champion before; done again, to the one before that."""
    newest = _newest(name)
    if newest is None or newest.previous_version is None:
        raise NothingToRollBackTo(f"{name} has no champion before the one it has")
    target = newest.previous_version
    made = Promotion.objects.filter(name=name, version=target, id__lt=newest.pk).first()
    before = made.previous_version if made else None
    return _make_champion(name, target, before, person=person, reason=reason, now=now)


def _newest(name: str) -> Promotion | None:
    return Promotion.objects.filter(name=name).first()


def _make_champion(
    name: str,
    version: int,
    previous: int | None,
    *,
    person: User | None,
    reason: str,
    now: datetime,
) -> Promotion:
    serving.load(name, version)
    registry.set_alias(name, registry.CHAMPION, version)
    with transaction.atomic():
        made = Promotion.objects.create(
            name=name,
            version=version,
            previous_version=previous,
            person=person,
            reason=reason,
            promoted_at=now,
        )
        transaction.on_commit(lambda: champion_changed.send(sender=Promotion, name=name))
    return made

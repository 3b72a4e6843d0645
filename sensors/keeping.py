"""How long what is kept for: readings by kind, their minute roll-ups; hours are kept for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings

from sensors.kinds import KINDS, OTHER

EVERY_KIND = (*KINDS, OTHER.name)
# What is refused for its age and what is dropped lie this far apart, so that nothing is dropped
# that a request still under way was right to accept.
MARGIN = timedelta(hours=1)


def days_of(kind: str) -> int:
    """For how many days readings of a kind are kept; 0 for ever."""
    days: int = settings.RAW_RETENTION_DAYS_BY_KIND.get(kind, settings.RAW_RETENTION_DAYS)
    return days


def refused_before(kind: str, now: datetime) -> datetime | None:
    """Readings of a kind that are older than this are not accepted; None: none are too old."""
    return _full_hour(now - timedelta(days=days)) if (days := days_of(kind)) else None


def dropped_before(kind: str, now: datetime) -> datetime | None:
    """Readings of a kind before this are dropped; None: they are kept for ever."""
    refused = refused_before(kind, now)
    return refused - MARGIN if refused else None


def minutes_dropped_before(now: datetime) -> datetime | None:
    """Minute roll-ups before this are dropped; None: they are kept for ever."""
    days = settings.MINUTE_RETENTION_DAYS
    return _full_hour(now - timedelta(days=days)) - MARGIN if days else None


def is_limited() -> bool:
    """Whether anything is dropped at all."""
    return bool(settings.MINUTE_RETENTION_DAYS) or any(map(days_of, EVERY_KIND))


def _full_hour(time: datetime) -> datetime:
    """Hours of UTC, as roll-ups have them: in India a local hour begins half way through one."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

"""When something is said: hours, grouping, repetition, and the next attempt. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from typing import Any

DAY = timedelta(days=1)


class PacingError(ValueError):
    """A policy that names what does not exist or holds a number out of range."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """Seconds. group_wait_s: what happens at a site so soon after the first event is one message;
    group_interval_s: between two messages of a route to a site. max_age_s: of the newest evidence;
    older events (history, scored again) are told to nobody. first_retry_s doubles up to
    longest_retry_s; after give_up_s a message has failed.
    """

    group_wait_s: float = 30.0
    group_interval_s: float = 300.0
    max_age_s: float = 21_600.0
    first_retry_s: float = 15.0
    longest_retry_s: float = 900.0
    give_up_s: float = 86_400.0


def parse(setting: object) -> Pacing:
    """The pacing in a NOTIFY_POLICY setting. Raises PacingError.

    >>> parse({"group_wait_s": 0}).group_wait_s
    0
    """
    known = Pacing.__dataclass_fields__
    if not isinstance(setting, dict) or set(setting) - set(known):
        raise PacingError(f"known names are {', '.join(known)}.")
    values: dict[str, Any] = setting
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise PacingError(f"{name} is {value!r}, not a number of seconds.")
    return Pacing(**values)


def is_within(
    there: datetime, weekdays: Collection[int], since: time | None, until: time | None
) -> bool:
    """Whether a time on a site's clock lies in a route's hours; hours over midnight belong to the
    day on which they begin.

    >>> friday = datetime(2026, 3, 6, 23)
    >>> is_within(friday, [4], time(22), time(6))
    True
    >>> is_within(friday + timedelta(hours=5), [4], time(22), time(6))
    True
    >>> is_within(friday + timedelta(hours=5), [5], time(22), time(6))
    False
    """
    if since is None or until is None or since == until:
        return there.weekday() in weekdays
    clock = there.time()
    if since < until:
        return since <= clock < until and there.weekday() in weekdays
    if clock >= since:
        return there.weekday() in weekdays
    return clock < until and (there - DAY).weekday() in weekdays


def ready_at(oldest: datetime, last: datetime | None, pacing: Pacing) -> datetime:
    """When a group that has waited since `oldest` is said, if its route last spoke at `last`."""
    waited = oldest + timedelta(seconds=pacing.group_wait_s)
    if last is None:
        return waited
    return max(waited, last + timedelta(seconds=pacing.group_interval_s))


def repeats_after(turn: int, repeat: timedelta) -> timedelta:
    """How long after the `turn`-th telling the next one comes: once soon, then daily.

    >>> [repeats_after(turn, timedelta(hours=4)).total_seconds() / 3600 for turn in (0, 1, 2)]
    [4.0, 24.0, 24.0]
    """
    return repeat if turn == 0 else max(repeat, DAY)


def retry_after(attempts: int, pacing: Pacing, rng: Random) -> timedelta:
    """Until the next attempt after so many: doubling, with a fifth of jitter either way.

    >>> steady = Random(); steady.uniform = lambda low, high: 1.0
    >>> [retry_after(n, Pacing(), steady).seconds for n in (1, 2, 3, 20)]
    [15, 30, 60, 900]
    """
    usual = min(pacing.first_retry_s * 2.0 ** min(attempts - 1, 30), pacing.longest_retry_s)
    return timedelta(seconds=usual * rng.uniform(0.8, 1.2))

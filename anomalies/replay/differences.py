"""What would be otherwise: each record of one list against its like of another. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from anomalies.replay.records import AnomalySeen, EpisodeSeen, NotificationSeen, Seen, as_json

R = TypeVar("R", AnomalySeen, EpisodeSeen, NotificationSeen)
SAME = 1e-9
# What follows from how often somebody looked, and not from what there was to see.
BY_THE_CLOCK = frozenset(
    {"opened_at", "resolved_at", "state", "resolution", "noted_at", "said_at", "dropped"}
    | {"episode_started_at"}
)


@dataclass(frozen=True, slots=True)
class Changed(Generic[R]):
    """One that both have. fields: what differs, as (was, would be)."""

    was: R
    would_be: R
    fields: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Difference(Generic[R]):
    """added: would be and was not; gone: the reverse."""

    added: tuple[R, ...]
    gone: tuple[R, ...]
    changed: tuple[Changed[R], ...]
    same: int

    def __bool__(self) -> bool:
        return bool(self.added or self.gone or self.changed)

    def as_json(self, *, most: int | None = None) -> dict[str, Any]:
        """most: of each list; how many there are stands beside it."""
        return {
            "counts": {
                "added": len(self.added),
                "gone": len(self.gone),
                "changed": len(self.changed),
                "same": self.same,
            },
            "added": [as_json(one) for one in self.added[:most]],
            "gone": [as_json(one) for one in self.gone[:most]],
            "changed": [_changed_as_json(one) for one in self.changed[:most]],
        }


@dataclass(frozen=True, slots=True)
class Differences:
    anomalies: Difference[AnomalySeen]
    episodes: Difference[EpisodeSeen]
    notifications: Difference[NotificationSeen]

    def __bool__(self) -> bool:
        return bool(self.anomalies or self.episodes or self.notifications)

    def as_json(self, *, most: int | None = None) -> dict[str, Any]:
        return {
            "anomalies": self.anomalies.as_json(most=most),
            "episodes": self.episodes.as_json(most=most),
            "notifications": self.notifications.as_json(most=most),
        }


def differences(was: Seen, would_be: Seen) -> Differences:
    """Anomalies are matched by sensor, and episodes by subject and queue, where they share an
    instant, the same start first. Notifications that were said are matched by what they say of
    which matched episode by which route, in their order."""
    episodes = _paired(was.episodes, would_be.episodes, _subject, _span_of_episode)
    return Differences(
        _difference(_paired(was.anomalies, would_be.anomalies, _sensor, _span_of_anomaly)),
        _difference(episodes),
        _difference(_told(was, would_be, episodes)),
    )


Pairs = list[tuple[R | None, R | None]]


def _paired(
    was: Sequence[R],
    would_be: Sequence[R],
    key: Callable[[Any], Hashable],
    span: Callable[[Any], tuple[Any, Any]],
) -> Pairs[R]:
    """(was, would be) with None where one has no like."""
    free: dict[Hashable, list[R]] = {}
    for one in was:
        free.setdefault(key(one), []).append(one)
    found: dict[int, R] = {}
    for is_like in (_same_start, _overlap):
        for i, one in enumerate(would_be):
            known = free.get(key(one), [])
            like = next((o for o in known if i not in found and is_like(span(o), span(one))), None)
            if like is not None:
                found[i] = like
                known.remove(like)
    pairs: Pairs[R] = [(found.get(i), one) for i, one in enumerate(would_be)]
    return pairs + [(one, None) for one in was if any(one is left for left in free[key(one)])]


def _same_start(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return bool(one[0] == other[0])


def _overlap(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return bool(one[0] <= other[1] and other[0] <= one[1])


def _sensor(one: AnomalySeen) -> Hashable:
    return one.sensor, one.detector == "silence"


def _span_of_anomaly(one: AnomalySeen) -> tuple[Any, Any]:
    return one.start, one.end


def _subject(one: EpisodeSeen) -> Hashable:
    return one.subject, one.queue


def _span_of_episode(one: EpisodeSeen) -> tuple[Any, Any]:
    return one.started_at, one.last_at


def _told(was: Seen, would_be: Seen, episodes: Pairs[EpisodeSeen]) -> Pairs[NotificationSeen]:
    names = {_episode_key(a): number for number, (a, _) in enumerate(episodes) if a is not None}
    before = _numbered(was.notifications, names)
    names = {_episode_key(b): number for number, (_, b) in enumerate(episodes) if b is not None}
    after = _numbered(would_be.notifications, names)
    pairs: Pairs[NotificationSeen] = [(before.get(key), one) for key, one in after.items()]
    return pairs + [(one, None) for key, one in before.items() if key not in after]


def _episode_key(one: EpisodeSeen) -> Hashable:
    return one.subject, one.queue, one.started_at


def _numbered(
    told: Sequence[NotificationSeen], names: dict[Hashable, int]
) -> dict[Hashable, NotificationSeen]:
    """By episode, route, event and turn, and which of its like it is."""
    found: dict[Hashable, NotificationSeen] = {}
    for one in told:
        if one.said_at is None:
            continue
        episode = names.get((one.subject, one.queue, one.episode_started_at), one.subject)
        nth = 0
        while (key := (episode, one.queue, one.route, one.event, one.turn, nth)) in found:
            nth += 1
        found[key] = one
    return found


def _difference(pairs: Pairs[R]) -> Difference[R]:
    both = [Changed(a, b, _fields(a, b)) for a, b in pairs if a is not None and b is not None]
    changed = tuple(one for one in both if one.fields)
    return Difference(
        added=tuple(b for a, b in pairs if a is None and b is not None),
        gone=tuple(a for a, b in pairs if b is None and a is not None),
        changed=changed,
        same=len(both) - len(changed),
    )


def _fields(was: R, would_be: R) -> dict[str, tuple[Any, Any]]:
    names = [name for name in was.__dataclass_fields__ if name not in BY_THE_CLOCK]
    values = ((name, getattr(was, name), getattr(would_be, name)) for name in names)
    return {name: (a, b) for name, a, b in values if not _equal(a, b)}


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=0, abs_tol=SAME)
    return bool(a == b)


def _changed_as_json(one: Changed[Any]) -> dict[str, Any]:
    was, would_be = as_json(one.was), as_json(one.would_be)
    return {
        "would_be": would_be,
        "fields": {name: [was[name], would_be[name]] for name in one.fields},
    }

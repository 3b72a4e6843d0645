"""Which episode an anomaly belongs to, and when one is over. Pure.

Everything is counted in event time, so that a history that is read in at once ends in the episodes
that it would have made live. Only two things are taken from the clock: when a person resolved an
episode, since what began after that is news.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from anomalies.episodes.policy import EpisodePolicy


class Step(Enum):
    """What an anomaly does to the episodes of its machine."""

    JOIN = "join"
    REOPEN = "reopen"
    OPEN = "open"
    # Of the past: an episode that is over, since there is a later one.
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Span:
    """An episode as far as it matters here.

    first, last: event times of its evidence. handled: a person has it in hand. resolved_at: when a
    person resolved it; None for an open one and for one that calmed down. retracted: all of its
    evidence was taken back.
    """

    number: int
    first: datetime
    last: datetime
    is_open: bool
    handled: bool = False
    resolved_at: datetime | None = None
    retracted: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """step: what to do with `episode`; closes: an open episode that turned out to be over."""

    step: Step
    episode: int | None = None
    closes: int | None = None


Quiet = Callable[[int, datetime], bool]


def place(
    start: datetime,
    end: datetime,
    episodes: Sequence[Span],
    quiet: Quiet,
    policy: EpisodePolicy,
) -> Place:
    """Where an anomaly from `start` to `end` belongs.

    episodes: all of its machine, in any order; one open at most. quiet(number, until) says whether
    the sensors of that episode had enough readings between its last evidence and `until`.
    """
    near = [one for one in episodes if _is_near(start, end, one, policy)]
    current = next((one for one in episodes if one.is_open), None)
    if current is not None and (current in near or start > current.last):
        if not _is_over_by(start, current, quiet, policy):
            return Place(Step.JOIN, current.number)
        if current in near:
            return Place(Step.REOPEN, current.number)
        return Place(Step.OPEN, closes=current.number)
    if near:
        latest = max(near, key=lambda one: one.last)
        told = any(one.is_open or one.first > latest.last for one in episodes)
        news = not told and _is_news(start, end, latest, policy)
        return Place(Step.REOPEN if news else Step.JOIN, latest.number)
    later = any(one.is_open or one.first > end for one in episodes)
    return Place(Step.RECORD if later else Step.OPEN)


def _is_near(start: datetime, end: datetime, episode: Span, policy: EpisodePolicy) -> bool:
    reach = timedelta(seconds=policy.rejoin_s)
    return start <= episode.last + reach and end >= episode.first - reach


def _is_over_by(start: datetime, episode: Span, quiet: Quiet, policy: EpisodePolicy) -> bool:
    """Whether an episode that nobody has in hand had calmed down before `start`."""
    if episode.handled or start - episode.last < timedelta(seconds=policy.exit_quiet_s):
        return False
    return quiet(episode.number, start)


def _is_news(start: datetime, end: datetime, episode: Span, policy: EpisodePolicy) -> bool:
    """Whether it says that a resolved episode is not over. What a person resolved stays so until
    something begins, or goes on, after that."""
    if episode.retracted:
        return True
    if episode.resolved_at is None:
        return end > episode.last
    goes_on = end > episode.resolved_at + timedelta(seconds=policy.exit_quiet_s)
    return start > episode.resolved_at or goes_on


def is_calm(
    last: datetime, scored_until: datetime | None, readings: int, policy: EpisodePolicy
) -> bool:
    """Whether a sensor has left an episode whose last evidence ended at `last`.

    scored_until: until when it is scored, in event time; readings: those it has had since `last`.
    """
    if scored_until is None:
        return False
    quiet_s = (scored_until - last).total_seconds()
    return quiet_s >= policy.exit_quiet_s and readings >= policy.exit_readings


def enough(starts: Sequence[datetime], at: datetime, policy: EpisodePolicy) -> list[datetime]:
    """The anomalies that open an episode with the one that began `at`; none while too few.

    starts: when the anomalies began that are in no episode, this one included.

    >>> noon = datetime(2026, 3, 1, 12)
    >>> three = [noon + timedelta(minutes=10 * i) for i in range(3)]
    >>> len(enough(three, noon, EpisodePolicy(enter_anomalies=3)))
    3
    >>> enough(three, noon, EpisodePolicy(enter_anomalies=3, enter_window_s=900))
    []
    """
    window, n = timedelta(seconds=policy.enter_window_s), policy.enter_anomalies
    near = sorted(start for start in starts if abs(start - at) <= window)
    runs = [near[i : i + n] for i in range(len(near) - n + 1)]
    whole = [run for run in runs if run[-1] - run[0] <= window and run[0] <= at <= run[-1]]
    return sorted(set().union(*whole))

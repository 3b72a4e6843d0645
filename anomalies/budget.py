"""An alert budget: from which confidence on an anomaly counts, so that episodes stay few. Pure.

Raising the threshold below which an anomaly is a suspected false positive leaves the least credible
episodes out. What that costs is said: the faults that people confirmed and that nothing would have
told of any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# A threshold just above a confidence leaves that one out. Confidences have six decimals.
JUST_ABOVE = 1e-6
WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """An anomaly that detection found. subject: the machine whose episode it is evidence of.

    in_scope: whether the threshold in question is its own; else `counts` says whether it is
    evidence. opens: whether it is strong enough to open an episode and not only to join one.
    """

    subject: str
    start: datetime
    end: datetime
    confidence: float
    opens: bool
    in_scope: bool
    counts: bool
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """What a threshold comes to. missed: confirmed anomalies that no episode would tell of."""

    threshold: float
    episodes: int
    per_week: float
    missed: int


@dataclass(frozen=True, slots=True)
class Budget:
    """before: at the threshold in force. after: at the lowest one that meets the budget, or None
    where none does. steps: what the thresholds between would come to, lowest first."""

    allowed_per_week: float
    confirmed: int
    before: Cost
    after: Cost | None
    steps: tuple[Cost, ...]


def propose(
    found: Sequence[Counted],
    *,
    threshold: float,
    allowed_per_week: float,
    length: timedelta,
    rejoin: timedelta,
) -> Budget:
    """The lowest threshold from the one in force on that meets the budget over `length`.

    rejoin: an episode that comes back within it is the same one. Confirmed anomalies are looked at
    as if nobody had reviewed them.
    """
    candidates = sorted(
        {round(one.confidence + JUST_ABOVE, 6) for one in found if one.in_scope}
        - {round(1.0 + JUST_ABOVE, 6)}
    )
    levels = [threshold, *(level for level in candidates if threshold < level <= 1.0)]
    steps = tuple(cost(found, level, length=length, rejoin=rejoin) for level in levels)
    met = (step for step in steps if step.per_week <= allowed_per_week)
    confirmed = sum(one.is_confirmed and one.in_scope for one in found)
    return Budget(allowed_per_week, confirmed, steps[0], next(met, None), steps)


def spread(steps: Sequence[Cost], most: int) -> list[Cost]:
    """At most `most` of the steps, evenly from the first to the last.

    >>> steps = [Cost(i / 10, 9 - i, 9.0 - i, 0) for i in range(10)]
    >>> [step.episodes for step in spread(steps, 4)]
    [9, 6, 3, 0]
    """
    if len(steps) <= most:
        return list(steps)
    last = len(steps) - 1
    return [steps[round(i * last / (most - 1))] for i in range(most)]


def cost(
    found: Iterable[Counted], threshold: float, *, length: timedelta, rejoin: timedelta
) -> Cost:
    """What would have been told at a threshold.

    >>> from datetime import UTC
    >>> day = datetime(2026, 3, 1, tzinfo=UTC)
    >>> one = Counted(subject="pump", start=day, end=day, confidence=0.5, opens=True,
    ...     in_scope=True, counts=True, is_confirmed=True)
    >>> cost([one], 0.5, length=WEEK, rejoin=WEEK)
    Cost(threshold=0.5, episodes=1, per_week=1.0, missed=0)
    >>> cost([one], 0.6, length=WEEK, rejoin=WEEK).missed
    1
    """
    known = list(found)
    kept = [one for one in known if _is_kept(one, threshold)]
    spans = _episodes(kept, rejoin)
    confirmed = [one for one in known if one.is_confirmed and one.in_scope]
    missed = sum(not any(_meets(one, span) for span in spans) for one in confirmed)
    return Cost(threshold, len(spans), len(spans) / (length / WEEK), missed)


def _is_kept(one: Counted, threshold: float) -> bool:
    """A confidence of exactly the threshold is still investigated."""
    return one.confidence >= threshold if one.in_scope else one.counts


def _episodes(kept: Iterable[Counted], rejoin: timedelta) -> list[tuple[str, datetime, datetime]]:
    """(subject, start, end), as they come out when nobody has one in hand."""
    spans: list[tuple[str, datetime, datetime]] = []
    for one in sorted(kept, key=lambda row: (row.subject, row.start, row.end)):
        subject, start, end = spans[-1] if spans else ("", one.start, one.end)
        if spans and subject == one.subject and one.start - end <= rejoin:
            spans[-1] = (subject, start, max(end, one.end))
        elif one.opens:
            spans.append((one.subject, one.start, one.end))
    return spans


def _meets(one: Counted, span: tuple[str, datetime, datetime]) -> bool:
    subject, start, end = span
    return one.subject == subject and one.start <= end and start <= one.end

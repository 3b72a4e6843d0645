"""How good episodes are, by faults that are known. Pure.

A fault is found when an episode of its machine shares an instant with it. Episodes of instruments
say nothing of machines: they are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from anomalies.replay.records import EpisodeSeen

HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Event times of something at a subject, SITE/MACHINE; both ends belong to it."""

    subject: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """faults: what was wrong. harmless: what was not, or None where all but faults is harmless."""

    faults: tuple[Span, ...]
    harmless: tuple[Span, ...] | None


@dataclass(frozen=True, slots=True)
class Quality:
    """episodes: of machines. judged: those of which it is known. lead_h: median hours from the
    first evidence of an episode to the end of its fault. None where there is nothing to count."""

    faults: int
    found: int
    episodes: int
    judged: int
    true: int
    precision: float | None
    recall: float | None
    lead_h: float | None
    per_asset_week: float | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    episodes: Iterable[EpisodeSeen], known: Known, *, assets: int, length: timedelta
) -> Quality:
    """assets: machines that were watched for `length`.

    >>> from datetime import UTC
    >>> day = datetime(2026, 3, 1, tzinfo=UTC)
    >>> found = measure([], Known((Span("a/p", day, day),), None), assets=2, length=WEEK)
    >>> found.recall, found.precision, found.per_asset_week
    (0.0, None, 0.0)
    """
    machines = [one for one in episodes if one.queue == "machine"]
    true = [one for one in machines if _meets(one, known.faults)]
    rest = [one for one in machines if not _meets(one, known.faults)]
    false = [one for one in rest if known.harmless is None or _meets(one, known.harmless)]
    leads = [lead for fault in known.faults if (lead := _lead(fault, true)) is not None]
    judged = len(true) + len(false)
    return Quality(
        faults=len(known.faults),
        found=len(leads),
        episodes=len(machines),
        judged=judged,
        true=len(true),
        precision=len(true) / judged if judged else None,
        recall=len(leads) / len(known.faults) if known.faults else None,
        lead_h=median(lead / HOUR for lead in leads) if leads else None,
        per_asset_week=len(machines) / (assets * (length / WEEK)) if assets else None,
    )


def _meets(episode: EpisodeSeen, spans: Sequence[Span]) -> bool:
    return any(_touch(episode, span) for span in spans)


def _touch(episode: EpisodeSeen, span: Span) -> bool:
    same = episode.subject == span.subject
    return same and episode.started_at <= span.end and span.start <= episode.last_at


def _lead(fault: Span, episodes: Sequence[EpisodeSeen]) -> timedelta | None:
    starts = [one.started_at for one in episodes if _touch(one, fault)]
    return fault.end - min(starts) if starts else None

"""A replay in words, and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from anomalies.replay.change import Change
from anomalies.replay.course import Course
from anomalies.replay.differences import Changed, Difference
from anomalies.replay.quality import Known, Quality, measure
from anomalies.replay.records import AnomalySeen, EpisodeSeen, NotificationSeen
from anomalies.replay.running import Replayed
from sensors.models import Asset, Site

DASH = "–"
MOST_LINES = 40
# In words, where the name of the field is not.
NAMES = {"per_asset_week": "episodes per machine and week", "lead_h": "lead time (h, median)"}


@dataclass(frozen=True, slots=True)
class Report:
    """known_by: labels or verdicts; quality: what was, and what would have been; None without."""

    sites: tuple[str, ...]
    course: Course
    change: Change
    replayed: Replayed
    known_by: str
    quality: tuple[Quality, Quality] | None

    def as_json(self, *, most: int | None = None) -> dict[str, Any]:
        """most: records in each list; the counts are whole."""
        replayed = self.replayed
        found: dict[str, Any] = {
            "sites": list(self.sites),
            "since": self.course.since.isoformat(),
            "until": self.course.until.isoformat(),
            "step_s": self.course.step.total_seconds(),
            "change": self.change.as_json(),
            "readings": replayed.readings,
            "doubts": list(replayed.doubts),
            "counts": counts(replayed),
            "differences": replayed.differences.as_json(most=most),
            "quality": None,
        }
        if self.quality is not None:
            was, would_be = self.quality
            both = {"was": was.as_json(), "would_be": would_be.as_json()}
            found["quality"] = {"by": self.known_by, **both}
        return found


def report(
    sites: Collection[int],
    course: Course,
    change: Change,
    replayed: Replayed,
    *,
    known: Known | None,
    known_by: str,
) -> Report:
    slugs = Site.objects.filter(pk__in=sites).order_by("slug").values_list("slug", flat=True)
    quality = None
    if known is not None:
        assets = Asset.objects.filter(site__in=sites, sensors__isnull=False).distinct().count()
        length = course.until - course.since
        was, would_be = (
            measure(seen.episodes, known, assets=assets, length=length)
            for seen in (replayed.was, replayed.would_be)
        )
        quality = was, would_be
    return Report(tuple(slugs), course, change, replayed, known_by, quality)


def counts(replayed: Replayed) -> dict[str, dict[str, int]]:
    """How many there were and would have been; of notifications, those that were said."""
    found = {}
    for name, seen in (("was", replayed.was), ("would_be", replayed.would_be)):
        said = sum(one.said_at is not None for one in seen.notifications)
        found[name] = {
            "anomalies": len(seen.anomalies),
            "episodes": len(seen.episodes),
            "notifications": said,
        }
    return found


def lines(found: Report) -> Iterator[str]:
    """For a terminal."""
    course = found.course
    yield f"{', '.join(found.sites)}: {_at(course.since)} to {_at(course.until)}, UTC"
    yield f"{found.change}; {found.replayed.readings:,} readings"
    yield ""
    yield f"{'':14}{'was':>8}{'would be':>10}{'added':>8}{'gone':>8}{'changed':>9}{'same':>8}"
    numbers, both = counts(found.replayed), found.replayed.differences
    for name in ("anomalies", "episodes", "notifications"):
        one: Difference[Any] = getattr(both, name)
        had = f"{numbers['was'][name]:>8}{numbers['would_be'][name]:>10}"
        moved = f"{len(one.added):>8}{len(one.gone):>8}{len(one.changed):>9}{one.same:>8}"
        yield f"{name:14}{had}{moved}"
    for name in ("episodes", "notifications", "anomalies"):
        yield from _listed(name, getattr(both, name))
    yield from _quality(found)
    for doubt in found.replayed.doubts:
        yield f"Mind: {doubt}"


def _listed(name: str, one: Difference[Any]) -> Iterator[str]:
    if not one:
        return
    said = [f"+ {words(record)}" for record in one.added]
    said += [f"- {words(record)}" for record in one.gone]
    said += [f"~ {words(change.would_be)}: {changes(change)}" for change in one.changed]
    yield f"\n{name}"
    yield from said[:MOST_LINES]
    if len(said) > MOST_LINES:
        yield f"  and {len(said) - MOST_LINES} more; --json names them all"


def words(record: AnomalySeen | EpisodeSeen | NotificationSeen) -> str:
    match record:
        case AnomalySeen():
            span = f"{_at(record.start)} – {_at(record.end)}"
            how = f"{record.detector} {record.score:.2f}, {record.decision}"
            return f"{span}  {record.sensor}  {how}"
        case EpisodeSeen():
            span = f"{_at(record.started_at)} – {_at(record.last_at)}"
            moved = f"{record.anomalies} anomalies of {record.sensors} sensors"
            return f"{span}  {record.subject}  severity {record.severity}, {moved}"
    turn = f", repeated {record.turn}" if record.turn else ""
    at = record.said_at or record.noted_at
    return f"{_at(at)}  {record.subject}  {record.event}{turn} by {record.route}"


def changes(change: Changed[Any]) -> str:
    return ", ".join(
        f"{name} {_value(was)} → {_value(would_be)}"
        for name, (was, would_be) in change.fields.items()
    )


def _quality(found: Report) -> Iterator[str]:
    if found.quality is None:
        return
    was, would_be = found.quality
    yield f"\nby {found.known_by:27}{'was':>9}{'would be':>10}"
    for name, value in was.as_json().items():
        after = getattr(would_be, name)
        yield f"  {NAMES.get(name, name):28}{_value(value):>9}{_value(after):>10}"
    if found.known_by == "verdicts":
        yield "  Only what was found could be reviewed: what was missed is in neither column."


def _value(value: Any) -> str:
    match value:
        case None | "":
            return DASH
        case float():
            return f"{value:.3g}"
        case datetime():
            return _at(value)
    return str(value)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"

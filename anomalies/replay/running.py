"""Running history through the agents, in a session of temporary tables."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from random import Random

from anomalies import cycle
from anomalies.models import Message, NotificationRoute, SilenceWatch
from anomalies.notify.delivery import Send
from anomalies.replay.arrivals import Arrivals
from anomalies.replay.change import Change
from anomalies.replay.collecting import collect
from anomalies.replay.course import Course
from anomalies.replay.differences import Differences, differences
from anomalies.replay.records import Seen
from anomalies.replay.session import session
from anomalies.replay.stirring import Stirring, is_restless, machines, spans_found
from sensors.models import ScoringNote, Sensor

Progress = Callable[[float, datetime], None]
# Every retry of a delivery is at the same distance: nothing is sent, and nothing fails.
RNG = Random(0)  # noqa: S311


@dataclass(frozen=True, slots=True)
class Replayed:
    """was: as it stands in the tables. doubts: what keeps it from being what would have been."""

    was: Seen
    would_be: Seen
    differences: Differences
    readings: int
    doubts: tuple[str, ...]


def replay(
    sites: Collection[int],
    course: Course,
    change: Change,
    *,
    progress: Progress = lambda _share, _at: None,
    every_look: bool = False,
) -> Replayed:
    """What would have been from `course.since` to `course.until`, had `change` been in force.

    sites: whose sensors; whole ones, since their sensors judge each other. progress: told the share
    that is done and the time of the replay; on the usual connection. every_look: score every
    machine at every look, which takes long and comes to the same. Raises ChangeError, Lost.
    """
    was = collect(sites, since=course.since, until=course.until)
    change.check()
    spans = [] if every_look else _foreseen(sites, course, change)
    with session(sites, begin=course.begin) as found, change.in_force(sites, now=course.begin):
        arrivals, stirring = _prepared(course, spans)
        for at in course.ticks():
            found.set_clock(at)
            arrivals.advance(at)
            noted = arrivals.note(arrivals.sensors if every_look else stirring.awake(at))
            _look(at, has_work=every_look or noted > 0)
            with found.outside():
                progress(course.share(at), at)
        would_be = collect(sites, since=course.since, until=course.until)
        doubts = _doubts()
    return Replayed(was, would_be, differences(was, would_be), arrivals.rows, doubts)


def _look(at: datetime, *, has_work: bool) -> None:
    """One look at the clock: the agents, if there is anything for them to do."""

    def clock() -> datetime:
        return at

    # Live, the sweep looks every 30 seconds; between two looks of a replay it has looked too.
    SilenceWatch.objects.update(seen=at)
    if cycle.look(clock) or has_work or is_restless():
        cycle.act(clock)
        cycle.tell(clock, rng=RNG, channels=_SILENT)


def _foreseen(
    sites: Collection[int], course: Course, change: Change
) -> list[tuple[datetime, datetime, int]]:
    """When which sensor has an anomaly, by one pass over all readings."""
    with session(sites, begin=course.begin) as found, change.in_force(sites, now=course.begin):
        found.set_clock(course.until)
        ScoringNote.objects.bulk_create(
            ScoringNote(sensor_id=pk, since=course.begin, until=course.until)
            for pk in Sensor.objects.scored().values_list("pk", flat=True)
        )
        cycle.score(lambda: course.until)
        return spans_found()


def _prepared(
    course: Course, spans: list[tuple[datetime, datetime, int]]
) -> tuple[Arrivals, Stirring]:
    sensors = list(Sensor.objects.scored().values_list("pk", "asset"))
    arrivals = Arrivals([pk for pk, _ in sensors], course.begin)
    arrivals.begin()
    return arrivals, Stirring(spans, machines(sensors))


def _unsent(message: Message) -> None:
    """It counts as sent."""


_SILENT: dict[str, Send] = dict.fromkeys(NotificationRoute.Channel.values, _unsent)


def _doubts() -> tuple[str, ...]:
    held = ScoringNote.objects.filter(held=True).values("sensor").distinct().count()
    if not held:
        return ()
    return (f"{held} sensors were scored without their champion, which cannot be had now.",)

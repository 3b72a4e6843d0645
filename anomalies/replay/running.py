"""Running history through the agents, in a session of temporary tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Self

from anomalies import cycle, watch
from anomalies.episodes import placing
from anomalies.models import Message, NotificationRoute, SilenceWatch
from anomalies.notify.delivery import Send
from anomalies.replay.arrivals import Arrivals
from anomalies.replay.change import Change
from anomalies.replay.collecting import collect
from anomalies.replay.course import Course
from anomalies.replay.differences import Differences, differences
from anomalies.replay.patience import Patience
from anomalies.replay.records import Seen
from anomalies.replay.session import Session, session
from anomalies.replay.stirring import Span, Stirring, machines, spans_found
from sensors import rhythms
from sensors.models import ScoringNote, Sensor
from sensors.series import to_datetime, to_datetime64

Progress = Callable[[float, datetime], None]
# Every retry of a delivery is at the same distance: nothing is sent, and nothing fails.
RNG = Random(0)  # noqa: S311
# Of the way, that the pass takes which says where there will be something to see.
FORESEEN_SHARE = 0.2
# So much is held in memory, and no reading is scored in fewer rows than its context has.
AT_ONCE = timedelta(days=4)


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
    spans = [] if every_look else _foreseen(sites, course, change, progress)
    done = 0.0 if every_look else FORESEEN_SHARE
    with session(sites, begin=course.begin) as found, change.in_force(sites, now=course.begin):
        steps = _Steps.prepared(found, course, spans, every_look=every_look)
        for at in course.ticks():
            steps.take(at)
            with found.outside():
                progress(done + (1 - done) * course.share(at), at)
        would_be = collect(sites, since=course.since, until=course.until)
        doubts = _doubts(steps.arrivals.rows)
    return Replayed(was, would_be, differences(was, would_be), steps.arrivals.rows, doubts)


@dataclass
class _Steps:
    """The agents, step by step; those in which there is nothing for them to do are passed over."""

    session: Session
    arrivals: Arrivals
    stirring: Stirring
    patience: Patience
    every_look: bool

    @classmethod
    def prepared(
        cls, found: Session, course: Course, spans: list[Span], *, every_look: bool
    ) -> Self:
        sensors = list(Sensor.objects.scored())
        arrivals = Arrivals([one.pk for one in sensors], course.begin)
        arrivals.begin()
        kinds = {one.pk: one.kind for one in sensors}
        stirring = Stirring(spans, machines(sensors), kinds, placing.policies())
        stated = {one.pk: one.expected_interval_s for one in sensors}
        patience = Patience(arrivals.sensors, stated, watch.policy())
        return cls(found, arrivals, stirring, patience, every_look)

    def take(self, at: datetime) -> None:
        """Readings up to `at` are there, and whoever has something to do does it."""
        arrivals, stirring = self.arrivals, self.stirring
        arrivals.advance(at)
        self.session.set_clock(at)
        awake = set(arrivals.sensors.tolist()) if self.every_look else stirring.awake(at, arrivals)
        is_due = self.every_look or bool(awake) or stirring.is_due(at)
        silent = self.patience.overdue(arrivals.newest, to_datetime64(at))
        looks, acted = is_due or bool(silent) or stirring.rises, False
        if looks:
            arrivals.settle()
            rhythms.learn(((pk, to_datetime(newest)) for pk, newest in silent), now=at)
            arrivals.note(awake)
            acted = _look(at, has_work=is_due)
        if stirring.repeats and not acted:
            _tell(at)
        if looks or stirring.repeats:
            stirring.look(at)


def _look(at: datetime, *, has_work: bool) -> bool:
    """One look at the clock: the agents, if there is anything for them to do; whether there was."""

    def clock() -> datetime:
        return at

    # Live, the sweep looks every 30 seconds; between two looks of a replay it has looked too.
    SilenceWatch.objects.update(seen=at)
    if not (cycle.look(clock) or has_work):
        return False
    cycle.act(clock)
    _tell(at)
    return True


def _tell(at: datetime) -> None:
    cycle.tell(lambda: at, rng=RNG, channels=_SILENT)


def _foreseen(
    sites: Collection[int], course: Course, change: Change, progress: Progress
) -> list[Span]:
    """When which sensor has an anomaly, by one pass over all readings, some days at a time."""
    with session(sites, begin=course.begin) as found, change.in_force(sites, now=course.begin):
        sensors = list(Sensor.objects.scored().values_list("pk", flat=True))
        since = course.begin
        for until in course.ticks(AT_ONCE):
            found.set_clock(until)
            _score(sensors, since, until)
            since = until
            with found.outside():
                progress(FORESEEN_SHARE * course.share(until), course.begin)
        return spans_found()


def _score(sensors: Iterable[int], since: datetime, until: datetime) -> None:
    ScoringNote.objects.bulk_create(
        ScoringNote(sensor_id=pk, since=since, until=until) for pk in sensors
    )
    while cycle.score(lambda: until):
        pass  # so many passes at a time


def _unsent(message: Message) -> None:
    """It counts as sent."""


_SILENT: dict[str, Send] = dict.fromkeys(NotificationRoute.Channel.values, _unsent)


def _doubts(readings: int) -> tuple[str, ...]:
    found = []
    if not readings:
        found.append("There are no readings in that time: nothing could be found in any.")
    held = ScoringNote.objects.filter(held=True).values("sensor").distinct().count()
    if held:
        found.append(f"{held} sensors were scored without their champion, which cannot be had now.")
    return tuple(found)

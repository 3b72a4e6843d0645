"""The clock of a replay. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sensors.series import EARLIEST_DATETIME

LEAD = timedelta(days=2)
STEP = timedelta(minutes=5)
LONGEST = timedelta(days=400)


class CourseError(ValueError):
    """A stretch of time that cannot be replayed."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is told of: what began from `since` to `until`. The agents run from `lead` before it,
    so that what was under way then is under way; they look at the clock every `step`. Raises
    CourseError.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> course = Course(noon, noon + timedelta(minutes=12), lead=timedelta(minutes=5))
    >>> [at.minute for at in course.ticks()]
    [0, 5, 10, 12]
    """

    since: datetime
    until: datetime
    lead: timedelta = LEAD
    step: timedelta = STEP

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise CourseError("It ends before it begins.")
        if self.until - self.since > LONGEST:
            raise CourseError(f"Longer than {LONGEST.days} days.")
        # Longer, and reminders and escalations come late or not at all.
        if not timedelta(seconds=1) <= self.step <= timedelta(hours=1):
            raise CourseError("A step is one second to one hour.")
        if not timedelta(0) <= self.lead <= LONGEST:
            raise CourseError(f"The lead is 0 to {LONGEST.days} days.")
        if self.since < EARLIEST_DATETIME:
            raise CourseError(f"Nothing is measured before {EARLIEST_DATETIME.year}.")

    def check(self, *, now: datetime) -> None:
        """Whether it is all in the past. Raises CourseError.

        What is ahead is silence, and would be found as such.
        """
        if self.until > now:
            raise CourseError(f"It ends at {self.until:%Y-%m-%d %H:%M %Z}, which is still to come.")

    @property
    def begin(self) -> datetime:
        return self.since - self.lead

    def ticks(self, step: timedelta | None = None) -> Iterator[datetime]:
        """Every `step` after the beginning, its own if none is given, and the end."""
        step = step or self.step
        at = self.begin + step
        while at < self.until:
            yield at
            at += step
        yield self.until

    def share(self, at: datetime) -> float:
        """How far that is, 0 to 1."""
        return (at - self.begin) / (self.until - self.begin)

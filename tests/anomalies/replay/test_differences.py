"""What would be otherwise, and how good it is: by hand-made records."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from anomalies.replay.course import Course, CourseError
from anomalies.replay.differences import differences
from anomalies.replay.quality import Known, Span, measure
from anomalies.replay.records import AnomalySeen, EpisodeSeen, NotificationSeen, Seen
from tests.factories import NOW

MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(weeks=1)
ANOMALY = AnomalySeen(
    *("a/s", NOW, NOW, NOW + HOUR, 0.8, 4, "machine", "core", "local", "credible_anomaly", 0.9)
)
EPISODE = EpisodeSeen(
    *("a/pump", "machine", NOW, NOW + HOUR, 4, "s", 1, 1, "open", "", NOW + MINUTE, None)
)
TOLD = NotificationSeen("all", "a/pump", "machine", NOW, "opened", 0, NOW, NOW + MINUTE, "")


def seen(*records: AnomalySeen | EpisodeSeen | NotificationSeen) -> Seen:
    return Seen(
        tuple(one for one in records if isinstance(one, AnomalySeen)),
        tuple(one for one in records if isinstance(one, EpisodeSeen)),
        tuple(one for one in records if isinstance(one, NotificationSeen)),
    )


def test_what_is_the_same_is_no_difference() -> None:
    both = seen(ANOMALY, EPISODE, TOLD)
    found = differences(both, both)
    assert not found
    assert (found.anomalies.same, found.episodes.same, found.notifications.same) == (1, 1, 1)


def test_when_somebody_looked_is_no_difference() -> None:
    later = replace(EPISODE, opened_at=NOW + HOUR, state="resolved", resolution="passed")
    said = replace(TOLD, noted_at=NOW + HOUR, said_at=NOW + 2 * HOUR)
    assert not differences(seen(EPISODE, TOLD), seen(later, said))


def test_what_began_at_another_time_is_the_same_one_changed() -> None:
    longer = replace(ANOMALY, start=NOW - HOUR, score=0.9)
    (changed,) = differences(seen(ANOMALY), seen(longer)).anomalies.changed
    assert changed.fields == {"start": (NOW, NOW - HOUR), "score": (0.8, 0.9)}


def test_the_same_start_goes_before_an_overlap() -> None:
    early = replace(ANOMALY, start=NOW - HOUR, peak=NOW - HOUR)
    found = differences(seen(ANOMALY), seen(early, ANOMALY)).anomalies
    assert (found.added, found.gone, found.same) == ((early,), (), 1)


@pytest.mark.parametrize(
    "other", [{"subject": "a/fan"}, {"queue": "instrument"}, {"started_at": NOW + 2 * HOUR}]
)
def test_an_episode_of_something_else_or_at_another_time_is_another(other: Any) -> None:
    last: Any = {"last_at": NOW + 3 * HOUR} if "started_at" in other else {}
    found = differences(seen(EPISODE), seen(replace(EPISODE, **other, **last))).episodes
    assert (len(found.added), len(found.gone), len(found.changed)) == (1, 1, 0)


def test_a_notification_belongs_to_its_episode_wherever_that_begins() -> None:
    moved = replace(EPISODE, started_at=NOW - HOUR)
    told = replace(TOLD, episode_started_at=NOW - HOUR)
    again = replace(told, event="severity")
    found = differences(seen(EPISODE, TOLD), seen(moved, told, again)).notifications
    assert (found.same, found.added, found.gone) == (1, (again,), ())


def test_what_was_not_said_is_no_notification() -> None:
    unsaid = replace(TOLD, said_at=None, dropped="resolved before it was said")
    found = differences(seen(EPISODE, TOLD), seen(EPISODE, unsaid)).notifications
    assert (found.gone, found.added) == ((TOLD,), ())


# --- how good it is -----------------------------------------------------------------------------


def test_quality_counts_episodes_of_machines_against_faults() -> None:
    false = replace(EPISODE, subject="a/fan")
    instrument = replace(EPISODE, queue="instrument")
    missed = Span("a/mill", NOW, NOW)
    known = Known((Span("a/pump", NOW + HOUR, NOW + 5 * HOUR), missed), None)
    found = measure([EPISODE, false, instrument], known, assets=4, length=WEEK)
    assert (found.episodes, found.true, found.judged) == (2, 1, 2)
    assert (found.precision, found.recall, found.found) == (0.5, 0.5, 1)
    assert (found.lead_h, found.per_asset_week) == (5.0, 0.5)


def test_what_nobody_judged_is_in_no_precision() -> None:
    unknown = replace(EPISODE, subject="a/fan")
    known = Known((Span("a/pump", NOW, NOW),), ())
    assert measure([EPISODE, unknown], known, assets=2, length=WEEK).precision == 1.0
    nothing = measure([unknown], Known((), ()), assets=2, length=WEEK)
    assert (nothing.precision, nothing.recall, nothing.lead_h) == (None, None, None)


@pytest.mark.parametrize(
    ("until", "step"), [(NOW, MINUTE), (NOW + HOUR, 2 * HOUR), (NOW + 401 * 24 * HOUR, MINUTE)]
)
def test_what_cannot_be_replayed_is_refused(until: object, step: timedelta) -> None:
    with pytest.raises(CourseError):
        Course(NOW, until, step=step)  # type: ignore[arg-type]

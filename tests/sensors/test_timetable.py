"""A weekly schedule in local time: shifts over midnight, changed clocks, holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sensors.operating import OFF, RUNNING, STARTING, states_at
from sensors.series import to_datetime64
from sensors.timetable import TimetableError, intervals, parse

ZONE = ZoneInfo("Europe/Berlin")
WEEK = [{"days": [0, 1, 2, 3, 4], "from": "06:00", "until": "22:00"}]
NIGHTS = [{"days": [4], "from": "22:00", "until": "06:00"}]


def state(said: object, local: datetime, *holidays: date) -> int:
    at = local.astimezone(UTC)
    since, until = at - timedelta(days=3), at + timedelta(days=3)
    found = intervals(parse(said), holidays, ZONE, since=since, until=until)
    return int(states_at(np.array([to_datetime64(at)]), found)[0])


@pytest.mark.parametrize("day", [27, 30])  # before and after clocks go forward on the 29th
def test_a_shift_begins_and_ends_by_the_clock_on_the_wall(day: int) -> None:
    at = datetime(2026, 3, day, tzinfo=ZONE)
    assert state(WEEK, at.replace(hour=5, minute=59)) == OFF
    assert state(WEEK, at.replace(hour=6, minute=5)) == STARTING
    assert state(WEEK, at.replace(hour=6, minute=15)) == RUNNING
    assert state(WEEK, at.replace(hour=21, minute=59)) == RUNNING
    assert state(WEEK, at.replace(hour=22)) == OFF


def test_a_night_shift_ends_on_the_next_day_though_clocks_change_meanwhile() -> None:
    said = [{"days": [5], "from": "22:00", "until": "06:00"}]
    assert state(said, datetime(2026, 3, 29, 5, 59, tzinfo=ZONE)) == RUNNING
    assert state(said, datetime(2026, 3, 29, 6, 0, tzinfo=ZONE)) == OFF
    assert state(said, datetime(2026, 10, 25, 5, 59, tzinfo=ZONE)) == RUNNING
    assert state(said, datetime(2026, 10, 25, 6, 0, tzinfo=ZONE)) == OFF


def test_no_shift_begins_on_a_holiday_but_one_may_end_there() -> None:
    friday, saturday = date(2026, 5, 1), date(2026, 5, 2)
    assert state(WEEK, datetime(2026, 5, 1, 12, tzinfo=ZONE), friday) == OFF
    assert state(NIGHTS, datetime(2026, 5, 2, 3, tzinfo=ZONE), saturday) == RUNNING
    assert state(NIGHTS, datetime(2026, 5, 2, 3, tzinfo=ZONE), friday) == OFF


def test_shifts_that_meet_are_one() -> None:
    said = [
        {"days": [0], "from": "06:00", "until": "14:00"},
        {"days": [0], "from": "14:00", "until": "22:00"},
    ]
    assert state(said, datetime(2026, 3, 2, 14, 1, tzinfo=ZONE)) == RUNNING


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ([], "list"),
        ("always", "list"),
        ([{"days": [0]}], "Entry 1"),
        ([*WEEK, {"days": [7], "from": "06:00", "until": "22:00"}], "Entry 2: days"),
        ([{"days": [], "from": "06:00", "until": "22:00"}], "days"),
        ([{"days": [0], "from": "six", "until": "22:00"}], "06:00"),
        ([{"days": [0], "from": "06:00+01:00", "until": "22:00"}], "without a zone"),
    ],
)
def test_what_is_no_schedule_is_said_to_be_none(said: object, named: str) -> None:
    with pytest.raises(TimetableError, match=named):
        parse(said)

"""When a machine runs by its weekly schedule, in the local time of its site. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from sensors.operating import OFF, RUNNING, STARTING, Interval
from sensors.series import to_datetime64

A_DAY = timedelta(days=1)
START_UP = timedelta(minutes=15)  # nobody starts a machine to the minute


class TimetableError(ValueError):
    """A schedule that cannot be read; the message says what is wrong with which entry."""


@dataclass(frozen=True, slots=True)
class Shift:
    """It runs on these days (0 is Monday) from `begins` on; until `ends`, the next day if that is
    not later."""

    days: frozenset[int]
    begins: time
    ends: time


def parse(said: object) -> tuple[Shift, ...]:
    """A schedule as it is stored: a list of {"days": [0], "from": "06:00", "until": "22:00"}.

    >>> parse([{"days": [0, 4], "from": "22:00", "until": "06:00"}])[0].ends
    datetime.time(6, 0)
    """
    if not isinstance(said, list) or not said:
        raise TimetableError('A schedule is a list such as [{"days": [0], "from": "06:00", ...}].')
    return tuple(_shift(number, one) for number, one in enumerate(said, start=1))


def _shift(number: int, said: object) -> Shift:
    if not isinstance(said, dict) or set(said) != {"days", "from", "until"}:
        raise TimetableError(f"Entry {number} must have days, from and until, and no more.")
    days = said["days"]
    if not isinstance(days, list) or not days or not all(day in range(7) for day in days):
        raise TimetableError(f"Entry {number}: days are numbers from 0 (Monday) to 6 (Sunday).")
    try:
        begins, ends = time.fromisoformat(said["from"]), time.fromisoformat(said["until"])
    except (TypeError, ValueError) as error:
        raise TimetableError(f"Entry {number}: times are written as 06:00.") from error
    if begins.tzinfo or ends.tzinfo:
        raise TimetableError(f"Entry {number}: times are those of the site, without a zone.")
    return Shift(frozenset(days), begins, ends)


def intervals(
    shifts: Sequence[Shift],
    holidays: Collection[date],
    zone: ZoneInfo,
    *,
    since: datetime,
    until: datetime,
) -> list[Interval]:
    """Off, starting and running by turns, oldest first, from `since` on to the day after `until`.

    A shift belongs to the day that it begins on: it does not begin on a holiday. A time that clocks
    skip counts as the one they go on with.

    >>> office = parse([{"days": [0], "from": "06:00", "until": "22:00"}])
    >>> monday = datetime(2026, 3, 2, tzinfo=UTC)
    >>> found = intervals(office, [], ZoneInfo("Europe/Berlin"), since=monday, until=monday)
    >>> [(one.state, str(one.start)[11:16]) for one in found]
    [(2, '00:00'), (1, '05:00'), (0, '05:15'), (2, '21:00')]
    """
    spans = _joined(_spans(shifts, holidays, zone, since - 2 * A_DAY, until + 2 * A_DAY))
    found = [Interval(OFF, to_datetime64(since), None)]
    for begins, ends in spans:
        if ends > since and begins <= until + A_DAY:
            found.append(Interval(STARTING, to_datetime64(max(begins, since)), None))
            runs = min(begins + START_UP, ends)
            found.append(Interval(RUNNING, to_datetime64(max(runs, since)), None))
            found.append(Interval(OFF, to_datetime64(ends), None))
    return found


def _spans(
    shifts: Sequence[Shift],
    holidays: Collection[date],
    zone: ZoneInfo,
    since: datetime,
    until: datetime,
) -> list[tuple[datetime, datetime]]:
    day, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    found = []
    while day <= last:
        for shift in shifts:
            if day.weekday() in shift.days and day not in holidays:
                over = day if shift.ends > shift.begins else day + A_DAY
                edges = ((day, shift.begins), (over, shift.ends))
                begins, ends = (datetime.combine(on, at, zone).astimezone(UTC) for on, at in edges)
                found.append((begins, ends))
        day += A_DAY
    return sorted(found)


def _joined(spans: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Spans that meet or overlap as one."""
    found: list[tuple[datetime, datetime]] = []
    for begins, ends in spans:
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ends))
        else:
            found.append((begins, ends))
    return found


def changes(values: np.ndarray, meanings: dict[float, int], before: int | None) -> np.ndarray:
    """What each reading of a state sensor begins: a state's code, or -1 where it goes on; (n,).

    meanings: of values; others say nothing. before: the state until then, None where none was.

    >>> changes(np.array([2.0, 2.0, 7.0, 0.0]), {0.0: OFF, 2.0: RUNNING}, None).tolist()
    [0, -1, -1, 2]
    """
    found = np.full(len(values), -1)
    state = before
    for row, value in enumerate(values.tolist()):
        said = meanings.get(value)
        if said is not None and said != state:
            found[row] = state = said
    return found

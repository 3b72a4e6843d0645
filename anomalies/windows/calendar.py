"""When a window is: once, or as an iCalendar says. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from sensors.series import EARLIEST_DATETIME

MOST_OCCURRENCES = 2_000
LONGEST = timedelta(days=366)
# Beyond these a local time of some zone has no date of Python's.
EARLIEST, LATEST = EARLIEST_DATETIME, datetime(2200, 1, 1, tzinfo=UTC)
# More than these in the year behind and the weeks ahead would not fit into MOST_OCCURRENCES.
MOST_A_DAY = 4
_TIMES_A_DAY = {
    "SECONDLY": 86_400.0,
    "MINUTELY": 1_440.0,
    "HOURLY": 24.0,
    "DAILY": 1.0,
    "WEEKLY": 1 / 7,
    "MONTHLY": 1 / 28,
    "YEARLY": 1 / 365,
}
_MULTIPLYING = ("BYDAY", "BYMONTHDAY", "BYHOUR", "BYMINUTE", "BYSECOND")


class CalendarError(ValueError):
    """A text that is no calendar, or one without an event."""


def occurrences(
    text: str, zone: ZoneInfo, since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """(start, end) of each event of an iCalendar that touches the range, in UTC, oldest first.

    zone: of times that state none, and of whole days. Raises CalendarError.

    >>> text = "\\r\\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:1",
    ...     "DTSTART:20260302T060000", "DTEND:20260302T080000", "RRULE:FREQ=WEEKLY", "END:VEVENT",
    ...     "END:VCALENDAR"])
    >>> march = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    >>> [str(start)[:16] for start, _ in occurrences(text, ZoneInfo("Europe/Berlin"), *march)][-2:]
    ['2026-03-23 05:00', '2026-03-30 04:00']
    """
    try:
        found = recurring_ical_events.of(_parsed(text)).between(since, until)
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise CalendarError(f"This is no iCalendar: {error}") from error
    spans = sorted((_utc(one.start, zone), _utc(one.end, zone)) for one in found)
    return [span for span in spans if span[0] < span[1]][:MOST_OCCURRENCES]


def check(text: str, zone: ZoneInfo, now: datetime) -> None:
    """Raises CalendarError for a calendar without an event in the year before or after now.

    Also for one whose events are so many that they could not be unrolled.
    """
    if _times_a_day(_parsed(text)) > MOST_A_DAY:
        raise CalendarError(f"Its events recur more than {MOST_A_DAY} times a day.")
    if not occurrences(text, zone, now - LONGEST, now + LONGEST):
        raise CalendarError("It has no event within a year.")


def _parsed(text: str) -> icalendar.Component:
    try:
        return icalendar.Calendar.from_ical(text)
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise CalendarError(f"This is no iCalendar: {error}") from error


def _times_a_day(calendar: icalendar.Component) -> float:
    """At most, of all its recurring events together; days that a rule leaves out are counted."""
    rules = (event.get("RRULE", []) for event in calendar.walk("VEVENT"))
    each = (rule for found in rules for rule in (found if isinstance(found, list) else [found]))
    return sum(map(_rate, each))


def _rate(rule: icalendar.vRecur) -> float:
    often = _TIMES_A_DAY.get(str(rule.get("FREQ", ["DAILY"])[0]).upper(), 1.0)
    for part in _MULTIPLYING:
        often *= max(1, len(rule.get(part, [])))
    return often / max(1, int(rule.get("INTERVAL", [1])[0]))


def _utc(moment: object, zone: ZoneInfo) -> datetime:
    """A date is its midnight; a time without a zone is the site's."""
    if not isinstance(moment, datetime):
        moment = datetime.fromisoformat(f"{moment}T00:00:00")
    there = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return there.astimezone(UTC)

"""When the clock of a zone is changed, for the summer or by law. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

A_DAY, AN_HOUR = timedelta(days=1), timedelta(hours=1)
IntArray = NDArray[np.int64]
NO_CHANGES: IntArray = np.zeros((0, 2), np.int64)
NO_CHANGES.flags.writeable = False


def changes(zone: ZoneInfo, since: datetime, until: datetime) -> IntArray:
    """The changes of a zone's clock from the year of `since` to that of `until`, shape (n, 2).

    Of each the hour, counted from 1970 in UTC, at which or within which it was, and by how many
    hours the clock was put forward; half an hour counts as one. Oldest first.

    >>> now = datetime(2026, 2, 1, tzinfo=UTC)
    >>> changes(ZoneInfo("Europe/Berlin"), now, now).tolist()
    [[492985, 1], [498025, -1]]
    """
    years = range(since.astimezone(UTC).year, until.astimezone(UTC).year + 1)
    found = [change for year in years for change in _of_year(zone, year)]
    return np.array(found, np.int64) if found else NO_CHANGES


def ahead(zone: ZoneInfo, hours: IntArray) -> IntArray:
    """By how many hours a zone's clock is ahead of UTC in each hour, counted from 1970: shape (n,).

    Of a zone that is off by a part of an hour the whole hours; only differences tell something.

    >>> ahead(ZoneInfo("Europe/Berlin"), np.array([492_984, 492_985, 498_025]))
    array([1, 2, 1])
    """
    if not len(hours):
        return np.zeros(0, np.int64)
    first, last = (datetime.fromtimestamp(3600 * int(hour), UTC) for hour in _ends(hours))
    found = changes(zone, first, last)
    later = found[found[:, 0] > hours.min()]
    base = int(_ahead(zone, first) // AN_HOUR)
    forward = np.concatenate([[0], np.cumsum(later[:, 1])])
    return np.asarray(base + forward[np.searchsorted(later[:, 0], hours, side="right")], np.int64)


def _ends(hours: IntArray) -> tuple[int, int]:
    return int(hours.min()), int(hours.max())


@cache
def _of_year(zone: ZoneInfo, year: int) -> tuple[tuple[int, int], ...]:
    first, found = datetime(year, 1, 1, tzinfo=UTC), []
    for day in range((datetime(year + 1, 1, 1, tzinfo=UTC) - first).days):
        midnight = first + day * A_DAY
        if _ahead(zone, midnight) != _ahead(zone, midnight + A_DAY):
            found += _of_day(zone, midnight)
    return tuple(found)


def _of_day(zone: ZoneInfo, midnight: datetime) -> list[tuple[int, int]]:
    found = []
    for hour in range(24):
        begin = midnight + hour * AN_HOUR
        by = (_ahead(zone, begin + AN_HOUR) - _ahead(zone, begin)) / AN_HOUR
        if by:
            number = int((begin + AN_HOUR).timestamp()) // 3600
            found.append((number, int(np.sign(by) * np.ceil(abs(by)))))
    return found


def _ahead(zone: ZoneInfo, at: datetime) -> timedelta:
    """Of UTC."""
    return at.astimezone(zone).utcoffset() or timedelta(0)

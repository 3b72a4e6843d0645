"""Operating states as rows: tagging them, and reading them for a sensor's readings.

Who tags a state notes every sensor of the machine in the same transaction: what was scored without
it is scored again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.db import transaction
from django.db.models import Q

from sensors import timetable
from sensors.models import Asset, OperatingState, ScoringNote, Sensor, StateSource
from sensors.operating import CODES, Interval, StateArray, states_at
from sensors.series import TimeArray, to_datetime, to_datetime64

AHEAD = timedelta(hours=1)  # readings may be a little ahead of the clock
# Hours in which it ran are remembered, so that what is odd later is looked at by other hours.
REMEMBERED = timedelta(days=36)


@transaction.atomic
def tag(
    *, asset: Asset, state: str, start: datetime, end: datetime | None, source: str, now: datetime
) -> tuple[OperatingState, bool]:
    """The state, and whether it is new: tagging it twice changes nothing."""
    row, is_new = OperatingState.objects.get_or_create(
        asset=asset, state=state, start=start, end=end, derived=False, defaults={"source": source}
    )
    if is_new:
        note(row, now=now)
    return row, is_new


@transaction.atomic
def untag(row: OperatingState, *, now: datetime) -> None:
    """As if it had never been tagged."""
    note(row, now=now)
    row.delete()


def note(row: OperatingState, *, now: datetime) -> None:
    """Have what it covers and what remembers that scored again, for each sensor of the machine."""
    newest = now + AHEAD
    until = max(newest if row.end is None else min(row.end + REMEMBERED, newest), row.start)
    ScoringNote.objects.bulk_create(
        ScoringNote(
            sensor=sensor, since=row.start, until=until, reason=ScoringNote.Reason.STATE
        )
        for sensor in Sensor.objects.scored().filter(asset=row.asset_id)
    )  # fmt: skip


def states_of(sensor_id: int, times: TimeArray) -> StateArray | None:
    """State of the sensor's machine at its readings' times, ascending; None if none was tagged."""
    if not len(times):
        return None
    found = states_at(times, intervals_of(sensor_id, to_datetime(times[0]), to_datetime(times[-1])))
    return found if np.any(found) else None


def intervals_of(sensor_id: int, since: datetime, until: datetime) -> list[Interval]:
    """What was said of the sensor's machine that reaches into since <= time <= until."""
    rows = OperatingState.objects.filter(
        Q(end__isnull=True) | Q(end__gt=since), asset__sensors=sensor_id, start__lte=until
    ).order_by("start", "-derived", "pk")
    told = [
        Interval(CODES[state], to_datetime64(start), None if end is None else to_datetime64(end))
        for state, start, end in rows.values_list("state", "start", "end")
    ]
    return [*scheduled(sensor_id, since, until), *told]


def scheduled(sensor_id: int, since: datetime, until: datetime) -> list[Interval]:
    """What the schedule of the sensor's machine says, if it has one."""
    found = StateSource.objects.filter(sort=StateSource.Sort.SCHEDULE, asset__sensors=sensor_id)
    source = found.select_related("asset__site").first()
    if source is None or source.since > until:
        return []
    return timetable.intervals(
        timetable.parse(source.schedule),
        set(source.holidays),
        ZoneInfo(source.asset.site.timezone),
        since=max(since, source.since),
        until=until,
    )


def told_of(sensor_ids: Sequence[int]) -> set[int]:
    """Those of the sensors of whose machine any state was ever told, or a schedule says it."""
    rows = OperatingState.objects.filter(asset__sensors__in=sensor_ids)
    sources = StateSource.objects.filter(asset__sensors__in=sensor_ids)
    found = (one.order_by().values_list("asset__sensors", flat=True) for one in (rows, sources))
    return set().union(*found) & set(sensor_ids)

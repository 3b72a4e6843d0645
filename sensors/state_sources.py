"""Operating states that follow from readings of a state sensor, and from changes of a source.

What a state sensor says is written down as rows of OperatingState, so that everybody reads states
in one place. They are made to equal what its stored readings say, whatever came late.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction

from sensors import states, timetable
from sensors.models import Asset, OperatingState, Reading, ScoringNote, Sensor, StateSource
from sensors.operating import CODES
from sensors.series import to_datetime

NAMES = {code: name for name, code in CODES.items()}
PIECE_ROWS = 50_000


@transaction.atomic
def put(source: StateSource, *, now: datetime) -> StateSource:
    """Store a source that is valid, in the place of the machine's old one."""
    Asset.objects.select_for_update().get(pk=source.asset_id)
    before = StateSource.objects.filter(asset=source.asset_id).first()
    if before is not None:
        source.pk = before.pk
        _forget(before, now=now)
    source.save(force_insert=before is None, force_update=before is not None)
    _begin(source, now=now)
    return source


@transaction.atomic
def remove(source: StateSource, *, now: datetime) -> None:
    """From now on only what is told counts; what was scored by the source is scored again."""
    _forget(source, now=now)
    source.delete()


def follow(noted: Iterable[tuple[int, datetime]], *, now: datetime) -> int:
    """Bring states up to date with state sensors that have new readings; how many changed.

    noted: (sensor, event time of its first new reading). Doing it twice changes nothing.
    """
    since = dict(noted)
    sources = StateSource.objects.filter(sort=StateSource.Sort.SENSOR, sensor__in=since)
    return sum(
        _follow(source, since[source.sensor_id], now=now) for source in sources.order_by("pk")
    )


@transaction.atomic
def _follow(source: StateSource, since: datetime, *, now: datetime) -> int:
    Asset.objects.select_for_update().get(pk=source.asset_id)
    since = max(since, source.since)
    wanted = _changes(source, since)
    rows = OperatingState.objects.filter(asset=source.asset_id, derived=True, start__gte=since)
    standing = {(row.start, row.state): row for row in rows}
    gone = [row for key, row in standing.items() if key not in wanted]
    new = [
        OperatingState(
            asset_id=source.asset_id, start=start, state=state, derived=True, source=_name(source)
        )
        for start, state in sorted(wanted - set(standing))
    ]
    for row in gone:
        row.delete()
    OperatingState.objects.bulk_create(new)
    if changed := [*gone, *new]:
        states.note(min(changed, key=lambda row: row.start), now=now)
    return len(changed)


def _changes(source: StateSource, since: datetime) -> set[tuple[datetime, str]]:
    """(start, state) of each change from `since` on, as its stored readings say."""
    assert source.sensor_id is not None  # noqa: S101  a constraint says so
    state, found = _state_before(source, since), set[tuple[datetime, str]]()
    while True:
        piece = Reading.objects.series(source.sensor_id, since=since, limit=PIECE_ROWS)
        begins = timetable.changes(piece.values, source.codes, state)
        rows = np.flatnonzero(begins >= 0)
        found |= {(to_datetime(piece.times[row]), NAMES[int(begins[row])]) for row in rows}
        state = int(begins[rows[-1]]) if len(rows) else state
        if len(piece) < PIECE_ROWS:
            return found
        since = to_datetime(piece.times[-1]) + timedelta(microseconds=1)


def _state_before(source: StateSource, time: datetime) -> int | None:
    rows = OperatingState.objects.filter(asset=source.asset_id, derived=True, start__lt=time)
    newest = rows.order_by("-start", "-pk").first()
    return CODES[newest.state] if newest else None


def _begin(source: StateSource, *, now: datetime) -> None:
    if source.sort == StateSource.Sort.SENSOR:
        _follow(source, source.since, now=now)
    else:
        _note(source, now=now)


def _forget(source: StateSource, *, now: datetime) -> None:
    OperatingState.objects.filter(asset=source.asset_id, derived=True).delete()
    _note(source, now=now)


def _note(source: StateSource, *, now: datetime) -> None:
    """Have what it says scored again, for every sensor of the machine."""
    until = max(now + states.AHEAD, source.since)
    ScoringNote.objects.bulk_create(
        ScoringNote(sensor=sensor, since=source.since, until=until, reason=ScoringNote.Reason.STATE)
        for sensor in Sensor.objects.scored().filter(asset=source.asset_id)
    )


def _name(source: StateSource) -> str:
    return f"sensor {source.sensor_id}"

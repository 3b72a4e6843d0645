"""Where a machine's joint fold goes on from: states of it, kept per machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection

from anomalies import folding
from anomalies.folding import Checkpoint
from anomalies.machines.fold import beginning
from anomalies.machines.grid import Era
from anomalies.models import MachineCheckpoint
from mlops.detectors.streaming.contract import dumped, loaded
from sensors.series import to_datetime, to_datetime64

_NEWEST = """
SELECT asked.place, found.rows, found.time, found.state
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[])
     WITH ORDINALITY AS asked (asset_id, version, time, place),
LATERAL (SELECT point.rows, point.time, point.state FROM anomalies_machinecheckpoint point
         WHERE point.asset_id = asked.asset_id AND point.version = asked.version
           AND point.time < asked.time
         ORDER BY point.time DESC LIMIT 1) AS found
"""


@dataclass(frozen=True, slots=True)
class States:
    """What a pass over an era came to: `rows` in all, and the states it passed."""

    era: Era
    rows: int
    passed: tuple[Checkpoint, ...]


def before(asset_id: int, era: Era, time: np.datetime64) -> Checkpoint:
    """The newest state of rows that all start before `time`."""
    return newest([(asset_id, era, time)])[0]


def newest(asked: Sequence[tuple[int, Era, np.datetime64]]) -> list[Checkpoint]:
    """For each (machine, era, time) the newest state of rows that all start before that time."""
    spans = [(asset_id, era.version, to_datetime(time)) for asset_id, era, time in asked]
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [list(column) for column in zip(*spans, strict=True)] or [[]] * 3)
        points = {
            place: Checkpoint(rows, to_datetime64(time), loaded(bytes(state)))
            for place, rows, time, state in cursor.fetchall()
        }
    return [points.get(place) or beginning(era) for place, (_, era, _) in enumerate(asked, start=1)]


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass over a machine leaves. eras: as they are now; dirty: states of rows from this
    event time on are no longer true."""

    asset_id: int
    found: Sequence[States]
    eras: Sequence[Era]
    dirty: np.datetime64


def replace(passes: Sequence[Passed]) -> None:
    """Store the states of these passes. Call it in the transaction that stores what they found."""
    stored: dict[int, list[_Stored]] = {one.asset_id: [] for one in passes}
    rows = MachineCheckpoint.objects.filter(asset__in=stored)
    for asset_id, pk, version, count, time in rows.values_list(
        "asset", "pk", "version", "rows", "time"
    ):
        stored[asset_id].append(_Stored(pk, version, count, time))
    new: list[MachineCheckpoint] = []
    old: list[int] = []
    for one in passes:
        points, gone = _renewed(one, stored[one.asset_id])
        new += points
        old += gone
    if old:
        MachineCheckpoint.objects.filter(pk__in=old).delete()
    MachineCheckpoint.objects.bulk_create(new)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A checkpoint without its state."""

    pk: int
    version: str
    rows: int
    time: datetime


def _renewed(
    passed: Passed, stored: Sequence[_Stored]
) -> tuple[list[MachineCheckpoint], list[int]]:
    """The checkpoints to add, and the keys of those that are to go."""
    dirty, versions = to_datetime(passed.dirty), {era.version for era in passed.eras}
    left = [row for row in stored if row.version in versions and row.time < dirty]
    new: list[MachineCheckpoint] = []
    for one in passed.found:
        version, wanted = one.era.version, folding.kept(one.rows)
        valid = {row.rows for row in left if row.version == version}
        left = [row for row in left if row.version != version or row.rows in wanted]
        new += [
            _row(passed.asset_id, version, point)
            for point in one.passed
            if point.rows in wanted - valid
        ]
    return new, [row.pk for row in {*stored} - {*left}]


def _row(asset_id: int, version: str, point: Checkpoint) -> MachineCheckpoint:
    time, state = to_datetime(point.time), dumped(point.state)
    return MachineCheckpoint(
        asset_id=asset_id, version=version, rows=point.rows, time=time, state=state
    )

"""States that folds go on from, kept by whom they are of: a sensor, or a machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection

from anomalies.folding import Checkpoint
from anomalies.models import FoldCheckpoint
from mlops.detectors.streaming.contract import dumped, loaded
from sensors import statements
from sensors.series import to_datetime, to_datetime64
from sensors.statements import Array

_NEWEST = """
SELECT asked.place, found.rows, found.time, found.state
FROM unnest(%s, %s::text[], %s) WITH ORDINALITY AS asked (owner, version, time, place),
LATERAL (SELECT point.rows, point.time, point.state FROM {table} point
         WHERE point.{owner} = asked.owner AND point.version = asked.version
           AND point.time < asked.time
         ORDER BY point.time DESC LIMIT 1) AS found
"""
_INSERT = "COPY {table} ({owner}, version, rows, time, state) FROM STDIN (FORMAT binary)"

Versioned = tuple[str, Checkpoint]


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored state, without its arrays."""

    pk: int
    version: str
    rows: int
    time: datetime


Renewal = Callable[[Sequence[Kept]], tuple[list[Versioned], list[int]]]
"""From what is kept of an owner: what is to be added, and the keys of what is to go."""


def newest(
    model: type[FoldCheckpoint], asked: Sequence[tuple[int, str, np.datetime64]]
) -> list[Checkpoint | None]:
    """For each (owner, version, time) the newest state of rows that all lie before that time."""
    owners, versions, times = zip(*asked, strict=True) if asked else ((), (), ())
    found = statements.run(
        _for(model, _NEWEST),
        (
            Array("int8", np.array(owners, np.int64)),
            list(versions),
            statements.times(np.array(times, "datetime64[us]")),
        ),
    )
    points = {
        place: Checkpoint(rows, to_datetime64(time), loaded(state))
        for place, rows, time, state in found
    }
    return [points.get(place) for place in range(1, len(asked) + 1)]


def replace(model: type[FoldCheckpoint], renewals: Mapping[int, Renewal]) -> None:
    """Renew what is kept of these owners. Call it in the transaction that stores what the states
    found."""
    kept: dict[int, list[Kept]] = {owner: [] for owner in renewals}
    rows = model._default_manager.filter(**{f"{model.OWNER}__in": kept})
    for owner, *fields in rows.values_list(model.OWNER, "pk", "version", "rows", "time"):
        kept[owner].append(Kept(*fields))
    new: list[tuple[int, Versioned]] = []
    old: list[int] = []
    for owner, renewal in renewals.items():
        points, gone = renewal(kept[owner])
        new += [(owner, point) for point in points]
        old += gone
    if old:
        model._default_manager.filter(pk__in=old).delete()
    if new:
        _insert(model, new)


def _insert(model: type[FoldCheckpoint], new: Sequence[tuple[int, Versioned]]) -> None:
    with connection.cursor() as cursor, cursor.copy(_for(model, _INSERT)) as copy:
        copy.set_types(("int8", "varchar", "int8", "timestamptz", "bytea"))
        for owner, (version, point) in new:
            copy.write_row(
                (owner, version, point.rows, to_datetime(point.time), dumped(point.state))
            )


def _for(model: type[FoldCheckpoint], statement: str) -> str:
    return statement.format(table=model._meta.db_table, owner=model.OWNER)

"""Who scores which sensor: durable notes are claimed with a lease, and a lost lease cannot commit.

A worker that dies leaves its notes and a lease that runs out; the next drain takes over. A sensor
whose scoring keeps failing is claimed alone, so that it cannot take others down with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import connection, transaction
from django.db.models import F

from anomalies.models import DetectionLease
from sensors import statements
from sensors.statements import Array

ALONE_AFTER_ATTEMPTS = 2

# One row a sensor, made when it is first noted; ON CONFLICT because two drains may meet.
_MAKE_LEASES = """
INSERT INTO anomalies_detectionlease (sensor_id, attempts, rung, rung_reason)
SELECT sensor.id, 0, '', '' FROM sensors_sensor sensor
WHERE NOT EXISTS (SELECT FROM anomalies_detectionlease lease WHERE lease.sensor_id = sensor.id)
  AND EXISTS (SELECT FROM sensors_scoringnote note
              WHERE note.sensor_id = sensor.id AND NOT note.held)
ORDER BY sensor.id
ON CONFLICT (sensor_id) DO NOTHING
"""

# SKIP LOCKED: drains that claim at the same moment take different sensors instead of waiting.
_CLAIMABLE = """
SELECT lease.sensor_id, lease.attempts
FROM anomalies_detectionlease lease
WHERE (lease.leased_until IS NULL OR lease.leased_until < %(now)s)
  AND EXISTS (SELECT FROM sensors_scoringnote note
              WHERE note.sensor_id = lease.sensor_id AND NOT note.held)
ORDER BY lease.attempts, lease.scored_at NULLS FIRST, lease.sensor_id
LIMIT %(limit)s
FOR UPDATE OF lease SKIP LOCKED
"""
# A reading that comes alone has a note of its own: there may be thousands of a sensor.
_NOTED = """
SELECT sensor_id, reason, min(since), max(until), array_agg(id)
FROM sensors_scoringnote
WHERE sensor_id = ANY(%s) AND NOT held
GROUP BY sensor_id, reason
ORDER BY min(id)
"""
_DONE = "DELETE FROM sensors_scoringnote WHERE id = ANY(%s)"

# What a pass does not know stays as it was. greatest() leaves out what is null.
_RELEASE = """
UPDATE anomalies_detectionlease lease
SET token = NULL, leased_until = NULL, attempts = 0, scored_at = %s,
    rung = CASE WHEN released.rung = '' THEN lease.rung ELSE released.rung END,
    rung_reason = CASE WHEN released.rung = '' THEN lease.rung_reason ELSE released.reason END,
    scored_until = greatest(lease.scored_until, released.scored_until)
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[])
     AS released (sensor_id, rung, reason, scored_until)
WHERE lease.sensor_id = released.sensor_id
"""


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes of a sensor that were left for one reason: readings from `since` to `until` are to
    be scored. ids: keys of the rows."""

    reason: str
    since: datetime
    until: datetime
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """Sensors leased under one token, with the notes that were there when they were claimed, those
    that were left first before the others."""

    token: uuid.UUID
    notes: dict[int, list[Notes]]

    def __bool__(self) -> bool:
        return bool(self.notes)


def claim(*, now: datetime, limit: int, lease: timedelta) -> Claim:
    """Lease up to `limit` sensors that have open notes and that nobody else scores."""
    token = uuid.uuid4()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_MAKE_LEASES)
            cursor.execute(_CLAIMABLE, {"now": now, "limit": limit})
            sensors = _one_alone_if_it_keeps_failing(cursor.fetchall())
        DetectionLease.objects.filter(sensor_id__in=sensors).update(
            token=token, leased_until=now + lease, attempts=F("attempts") + 1
        )
        grouped: dict[int, list[Notes]] = {sensor: [] for sensor in sensors}
        for sensor, reason, since, until, ids in statements.run(
            _NOTED, [Array("int8", np.array(sensors, np.int64))]
        ):
            grouped[sensor].append(Notes(reason, since, until, tuple(ids)))
    return Claim(token, grouped)


def done(notes: Iterable[Notes]) -> None:
    """Delete exactly these. Call it in the transaction that stores what they led to."""
    ids = [pk for one in notes for pk in one.ids]
    statements.run(_DONE, [Array("int8", np.array(ids, np.int64))])


def _one_alone_if_it_keeps_failing(rows: Sequence[tuple[int, int]]) -> list[int]:
    healthy = [sensor for sensor, attempts in rows if attempts < ALONE_AFTER_ATTEMPTS]
    return healthy or [sensor for sensor, _ in rows[:1]]


def hold(sensor_ids: Sequence[int], token: uuid.UUID) -> list[int]:
    """Lock these leases until the transaction ends: those that no other worker has taken over."""
    ours = DetectionLease.objects.filter(sensor_id__in=sensor_ids, token=token)
    locked = ours.order_by("sensor_id").select_for_update()
    return list(locked.values_list("sensor_id", flat=True))


@dataclass(frozen=True, slots=True)
class Release:
    """A sensor whose scoring went well, with what is worth knowing about it."""

    sensor_id: int
    rung: str = ""
    reason: str = ""
    scored_until: datetime | None = None


def release(released: Sequence[Release], *, now: datetime) -> None:
    """Give leases back."""
    rows = [(one.sensor_id, one.rung, one.reason[:200], one.scored_until) for one in released]
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        with connection.cursor() as cursor:
            cursor.execute(_RELEASE, [now, *columns])

"""Whose fault is it: each anomaly to the queue of the machines or to that of the instruments.

Detection writes an anomaly, routing says whose fault it is, from the stored readings around it and
those of the other sensors of its machine. Readings that come later and stand in what was looked at
make it due again: what stands in the end follows from the readings, whoever came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from anomalies import ledger, nature, profiles, scenes
from anomalies.excursion import Excursion
from anomalies.leases import Notes
from anomalies.models import Anomaly
from anomalies.nature.twins import noise_of
from anomalies.scenes import Known, Scene
from sensors.series import to_datetime64

LEASE = timedelta(minutes=5)
AT_ONCE = 64
REASON = "other readings around it"

_OWN = {
    "nature": "text",
    "nature_sort": "text",
    "nature_reason": "text",
    "routed_at": "timestamptz",
    "routing_due_at": "timestamptz",
    "routed_since": "timestamptz",
    "routed_until": "timestamptz",
    "excursion": "jsonb",
    "updated_at": "timestamptz",
    "validation_due_at": "timestamptz",
}
_WRITE = f"""
UPDATE anomalies_anomaly found SET {", ".join(f"{name} = said.{name}" for name in _OWN)}
FROM unnest(%s::bigint[], {", ".join(f"%s::{kind}[]" for kind in _OWN.values())})
     AS said (id, {", ".join(_OWN)})
WHERE found.id = said.id
"""  # noqa: S608  names from the code


def note(noted: Mapping[int, Sequence[Notes]], *, now: datetime) -> None:
    """Make due what readings in the noted ranges may put down to another cause.

    To be called while the notes are still there: who dies in between leaves them to the next. One
    row at a time, so that nobody waits for two.
    """
    spans = [(pk, one.since, one.until) for pk, notes in noted.items() for one in notes]
    for anomaly in sorted(Anomaly.objects.standing().of_readings().touched(spans)):
        Anomaly.objects.standing().filter(pk=anomaly).update(routing_due_at=now)


def route_due(*, now: datetime, limit: int = 500, known: Mapping[int, Known] | None = None) -> int:
    """Route up to `limit` anomalies that wait; of how many this changed what was said before.

    known: features that were just computed, by sensor; they need not be computed again.

    Safe to run many times at once: an anomaly is taken by one worker, and is due again after the
    lease if that one dies.
    """
    changed = 0
    while limit > 0 and (taken := _take(min(limit, AT_ONCE), now=now)):
        limit -= len(taken)
        changed += _route(taken, known or {}, now=now)
    return changed


@transaction.atomic
def _take(most: int, *, now: datetime) -> list[int]:
    due = Anomaly.objects.awaiting_routing().filter(routing_due_at__lte=now)
    rows = due.order_by("routing_due_at", "id").select_for_update(skip_locked=True)
    taken = list(rows.values_list("pk", flat=True)[:most])
    Anomaly.objects.filter(pk__in=taken).update(routing_due_at=now + LEASE)
    return taken


def _route(taken: Sequence[int], known: Mapping[int, Known], *, now: datetime) -> int:
    """Readings that are committed while this looks make the anomaly due again, which is then not
    ours any more: what was seen without them is not recorded."""
    ours = Anomaly.objects.filter(pk__in=taken).select_related("sensor").order_by("pk")
    anomalies = list(ours)
    found = scenes.scenes_of(anomalies, known)
    rulings = {
        anomaly.pk: (scene, _ruling(anomaly, scene))
        for anomaly, scene in zip(anomalies, found, strict=True)
    }
    done, changed = _record(rulings, now=now, skip_locked=True)
    for left in rulings.keys() - done:
        # Somebody else has it locked. One at a time, so that nobody waits for two.
        changed += _record({left: rulings[left]}, now=now, skip_locked=False)[1]
    return changed


def _ruling(anomaly: Anomaly, scene: Scene) -> nature.Ruling:
    sensor = anomaly.sensor
    return nature.decide(
        scene.own,
        scene.others,
        start=to_datetime64(anomaly.start),
        end=to_datetime64(anomaly.end),
        bounds=nature.Bounds(sensor.physical_min, sensor.physical_max),
    )


@transaction.atomic
def _record(
    rulings: Mapping[int, tuple[Scene, nature.Ruling]], *, now: datetime, skip_locked: bool
) -> tuple[set[int], int]:
    """Of those that are still ours: which were looked at, and of how many this changed what was
    said."""
    ours = Anomaly.objects.awaiting_routing().filter(pk__in=rulings, routing_due_at=now + LEASE)
    rows = list(ours.order_by("pk").select_for_update(skip_locked=skip_locked))
    known = {anomaly.pk: anomaly.excursion for anomaly in rows}
    said = [_say(anomaly, *rulings[anomaly.pk], now=now) for anomaly in rows]
    _judge_again([one for one in rows if one.excursion != known[one.pk]], now=now)
    _write(rows)
    for anomaly, (before, after, is_first) in zip(rows, said, strict=True):
        if before != after and not is_first:
            ledger.revise(anomaly, before, after, reason=REASON, now=now)
    return {anomaly.pk for anomaly in rows}, sum(before != after for before, after, _ in said)


_Said = tuple[dict[str, Any], dict[str, Any], bool]


def _say(anomaly: Anomaly, scene: Scene, ruling: nature.Ruling, *, now: datetime) -> _Said:
    """What the anomaly said before and says now, not written yet, and whether it is its first
    ruling. When it says something else, that is to be validated again."""
    before, is_first = ledger.trace(anomaly), anomaly.routed_at is None
    anomaly.excursion = _excursion(anomaly, scene)
    anomaly.nature, anomaly.nature_sort = ruling.nature, ruling.sort
    anomaly.nature_reason = ruling.reason[:300]
    anomaly.routed_at, anomaly.routing_due_at = now, None
    anomaly.routed_since, anomaly.routed_until = scene.since, scene.until
    after = ledger.trace(anomaly)
    if after != before:
        anomaly.updated_at = anomaly.validation_due_at = now
    return before, after, is_first


def _excursion(anomaly: Anomaly, scene: Scene) -> dict[str, Any] | None:
    """Of its sensor; what a machine's sensors show together is in none of them alone."""
    if anomaly.asset_id is not None:
        return None
    own, start = scene.own, to_datetime64(anomaly.start)
    before = own.values[: own.times.searchsorted(start)]
    found = Excursion.of(own.times, own.values, start, noise_of(before))
    return found.as_dict() if found else None


def _judge_again(moved: Sequence[Anomaly], *, now: datetime) -> None:
    """Those whose excursion is another than it was, where there are any to compare it with."""
    judged = profiles.judged_of({one.sensor_id for one in moved}) if moved else ()
    for anomaly in moved:
        if anomaly.sensor_id in judged:
            anomaly.updated_at = anomaly.validation_due_at = now


def _write(rows: Sequence[Anomaly]) -> None:
    """What routing owns of these, which must be locked."""
    columns = [[_sent(getattr(row, name)) for row in rows] for name in ("pk", *_OWN)]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, columns)


def _sent(value: object) -> object:
    return Jsonb(value) if isinstance(value, dict) else value

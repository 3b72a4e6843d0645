"""Whose fault is it: each anomaly to the queue of the machines or to that of the instruments.

Detection writes an anomaly, routing says whose fault it is, from the stored readings around it and
those of the other sensors of its machine. Readings that come later and stand in what was looked at
make it due again: what stands in the end follows from the readings, whoever came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from anomalies import ledger, nature
from anomalies.models import Anomaly
from mlops import features
from sensors.models import Reading, ScoringNote, Sensor
from sensors.series import Series, to_datetime, to_datetime64

LEASE = timedelta(minutes=5)
MOST_OTHERS = 24
REASON = "other readings around it"


def note(noted: Mapping[int, Sequence[ScoringNote]], *, now: datetime) -> None:
    """Make due what readings in the noted ranges may put down to another cause.

    To be called while the notes are still there: who dies in between leaves them to the next. One
    row at a time, so that nobody waits for two.
    """
    machines = dict(Sensor.objects.filter(pk__in=noted).values_list("pk", "asset"))
    due: set[int] = set()
    for sensor, notes in noted.items():
        for one in notes:
            due.update(_touched(sensor, machines.get(sensor), one.since, one.until))
    for anomaly in sorted(due):
        Anomaly.objects.standing().filter(pk=anomaly).update(routing_due_at=now)


def _touched(sensor: int, machine: int | None, since: datetime, until: datetime) -> list[int]:
    """Anomalies of the sensor's machine that were routed by readings within that range, or were not
    yet. Silences and predictions are not routed."""
    whose = Q(sensor=sensor) if machine is None else Q(sensor__asset=machine)
    found = Anomaly.objects.standing().of_readings().filter(
        whose,
        Q(routed_since__isnull=True) | Q(routed_since__lte=until),
        Q(routed_until__isnull=True) | Q(routed_until__gte=since),
    )  # fmt: skip
    return list(found.values_list("pk", flat=True))


def route_due(*, now: datetime, limit: int = 500) -> int:
    """Route up to `limit` anomalies that wait; of how many this changed what was said before.

    Safe to run many times at once: an anomaly is taken by one worker, and is due again after the
    lease if that one dies.
    """
    changed = 0
    for _ in range(limit):
        taken = _take(now=now)
        if taken is None:
            break
        changed += _route_taken(taken, now=now)
    return changed


@transaction.atomic
def _take(*, now: datetime) -> int | None:
    due = Anomaly.objects.awaiting_routing().filter(routing_due_at__lte=now)
    taken: int | None = (
        due.order_by("routing_due_at", "id")
        .select_for_update(skip_locked=True)
        .values_list("pk", flat=True)
        .first()
    )
    if taken is not None:
        Anomaly.objects.filter(pk=taken).update(routing_due_at=now + LEASE)
    return taken


@transaction.atomic
def _route_taken(anomaly_id: int, *, now: datetime) -> bool:
    """Route it if it is still ours. The row is locked before readings are read: readings that are
    committed later make it due again after this."""
    ours = Anomaly.objects.awaiting_routing().filter(pk=anomaly_id, routing_due_at=now + LEASE)
    anomaly = ours.select_related("sensor").select_for_update(of=("self",)).first()
    if anomaly is None:
        return False
    scene = scene_of(anomaly)
    return _record(anomaly, scene, _ruling(anomaly, scene), now=now)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is looked at. since, until: which event times count; None: all before, all to come."""

    own: nature.Track
    others: tuple[nature.Track, ...]
    since: datetime | None
    until: datetime | None


def scene_of(anomaly: Anomaly) -> Scene:
    """The readings around an anomaly, of its sensor and of the others of its machine."""
    rows, margin = Reading.objects, nature.MARGIN_ROWS
    lead = rows.before(anomaly.sensor_id, anomaly.start, features.CONTEXT_ROWS + margin)
    body = rows.series(
        anomaly.sensor_id, since=anomaly.start, until=anomaly.end, limit=nature.MOST_ROWS
    )
    last = to_datetime(body.times[-1]) if len(body) else anomaly.end
    after = rows.after(anomaly.sensor_id, last, margin)
    own = _track(anomaly.sensor, lead, Series.concatenate([lead[-margin:], body, after]))
    begin = own.times[own.first] if len(own.times) else to_datetime64(anomaly.start)
    until = to_datetime(after.times[-1]) if len(after) else last
    others = _others(anomaly.sensor, to_datetime(begin), until)
    tracks = (own, *others)
    is_whole = all(track.first >= features.CONTEXT_ROWS for track in tracks)
    return Scene(
        own=own,
        others=others,
        since=to_datetime(min(track.times[0] for track in tracks)) if is_whole else None,
        until=until if len(after) == margin else None,
    )


def _track(sensor: Sensor, lead: Series, looked_at: Series) -> nature.Track:
    """Of the rows that are looked at, and those of `lead` that come before them."""
    context = lead[: -nature.MARGIN_ROWS][-features.CONTEXT_ROWS :]
    whole = Series.concatenate([context, looked_at])
    return nature.Track(
        sensor.external_id, sensor.kind, whole.times, whole.values, len(context)
    )  # fmt: skip


def _others(sensor: Sensor, since: datetime, until: datetime) -> tuple[nature.Track, ...]:
    if sensor.asset_id is None:
        return ()
    machine = Sensor.objects.scored().filter(asset=sensor.asset_id).exclude(pk=sensor.pk)
    tracks = []
    for other in machine.order_by("pk")[:MOST_OTHERS]:
        context = Reading.objects.before(other.pk, since, features.CONTEXT_ROWS)
        seen = Reading.objects.series(other.pk, since=since, until=until)
        whole = Series.concatenate([context, seen])
        tracks.append(
            nature.Track(other.external_id, other.kind, whole.times, whole.values, len(context))
        )
    return tuple(tracks)


def _ruling(anomaly: Anomaly, scene: Scene) -> nature.Ruling:
    sensor = anomaly.sensor
    return nature.decide(
        scene.own,
        scene.others,
        start=to_datetime64(anomaly.start),
        end=to_datetime64(anomaly.end),
        bounds=nature.Bounds(sensor.physical_min, sensor.physical_max),
    )


def _record(anomaly: Anomaly, scene: Scene, ruling: nature.Ruling, *, now: datetime) -> bool:
    """Whether something else was said before; that leaves a trace, and is to be validated again."""
    before, is_first = ledger.trace(anomaly), anomaly.routed_at is None
    anomaly.nature, anomaly.nature_sort = ruling.nature, ruling.sort
    anomaly.nature_reason = ruling.reason[:300]
    anomaly.routed_at, anomaly.routing_due_at = now, None
    anomaly.routed_since, anomaly.routed_until = scene.since, scene.until
    written = ["nature", "nature_sort", "nature_reason", "routed_at", "routing_due_at"]
    written += ["routed_since", "routed_until"]
    after = ledger.trace(anomaly)
    changed = after != before
    if changed:
        anomaly.updated_at = anomaly.validation_due_at = now
        written += ["updated_at", "validation_due_at"]
    anomaly.save(update_fields=written)
    if changed and not is_first:
        ledger.revise(anomaly, before, after, reason=REASON, now=now)
    return changed

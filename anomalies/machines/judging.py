"""Judging machines: what their notes make dirty is folded again, and its anomalies replaced.

A row of the grid is judged by all rows before it, so from the first one that changed to the last
closed one all are dirty. A machine's row is locked meanwhile: who finds it locked leaves it to the
worker that holds it, which looks for notes again before it leaves. What it writes, the notes it
took and the states it keeps change in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import connection, transaction
from django.db.models import F, Min, Q
from django.db.models.expressions import Exists, OuterRef

from anomalies import achieved, ledger
from anomalies.detection_policy import DetectionPolicy
from anomalies.findings import Draft
from anomalies.leases import Notes
from anomalies.ledger import Change
from anomalies.machines import checkpoints, fold, readings
from anomalies.machines.alarms import merge_gap_rows
from anomalies.machines.checkpoints import States
from anomalies.machines.findings import drafts_of
from anomalies.machines.fold import Judged
from anomalies.machines.grid import Era, closed, eras
from anomalies.models import Anomaly, MachineDetection, MachineNote
from anomalies.querysets import AnomalyQuerySet
from sensors.models import Asset, ScoringNote, Sensor
from sensors.series import to_datetime, to_datetime64

MAX_ROWS = 20_000
# While its sensors are still scored more is to come; a machine is not held up longer than that.
WAITS = timedelta(minutes=1)
BY_MODEL = frozenset({ScoringNote.Reason.DEGRADED, ScoringNote.Reason.MODEL})

_HAND_ON = """
INSERT INTO anomalies_machinenote (asset_id, since, reason, created_at)
SELECT own.asset_id, min(noted.since), min(noted.reason), %s
FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[]) AS noted (sensor_id, since, reason)
JOIN sensors_sensor own ON own.id = noted.sensor_id
WHERE EXISTS (
    SELECT FROM sensors_sensor other WHERE other.asset_id = own.asset_id AND other.id <> own.id)
GROUP BY own.asset_id
"""


def hand_on(
    noted: Mapping[int, Sequence[Notes]], *, reason: Callable[[str], str], now: datetime
) -> None:
    """Have the machines of these sensors judged from where their notes begin, if they have other
    sensors. reason: what a change because of a note's reason is put down to.

    To be called in the transaction that deletes the notes. What another model is to score again is
    nothing new to the machine.
    """
    new = [
        (sensor, one.since, reason(one.reason))
        for sensor, notes in noted.items()
        for one in notes
        if one.reason not in BY_MODEL
    ]
    if new:
        with connection.cursor() as cursor:
            cursor.execute(_HAND_ON, [now, *map(list, zip(*new, strict=True))])


def judge_due(*, now: datetime, policy: DetectionPolicy) -> Change:
    """Judge every machine that has notes; what became of their anomalies.

    Safe to run many times at once. A machine that fails is tried after all others.
    """
    change, left = Change(), set[int]()
    while waiting := [pk for pk in _waiting(now=now) if pk not in left]:
        for asset_id in waiting:
            found = _judge(asset_id, policy, now=now) if _try(asset_id, now=now) else None
            if found is None:
                left.add(asset_id)
            else:
                change += found
    return change


def _waiting(*, now: datetime) -> list[int]:
    """Machines whose notes can be worked off, those that were tried last at the end."""
    noted = MachineNote.objects.values("asset").annotate(oldest=Min("created_at"))
    busy = ScoringNote.objects.open().filter(sensor__asset=OuterRef("asset"))
    ready = noted.filter(~Exists(busy) | Q(oldest__lt=now - WAITS))
    numbers = ready.order_by().values_list("asset", flat=True)
    MachineDetection.objects.bulk_create(
        [MachineDetection(asset_id=pk) for pk in numbers], ignore_conflicts=True
    )
    rows = MachineDetection.objects.filter(asset__in=list(numbers))
    ordered = rows.order_by(F("tried_at").asc(nulls_first=True), "pk")
    return list(ordered.values_list("pk", flat=True))


@transaction.atomic
def _try(asset_id: int, *, now: datetime) -> bool:
    """Write down that it is tried; False when another worker has it."""
    row = _locked(asset_id)
    if row is not None:
        MachineDetection.objects.filter(pk=asset_id).update(tried_at=now)
    return row is not None


def _locked(asset_id: int) -> MachineDetection | None:
    rows = MachineDetection.objects.select_for_update(skip_locked=True, of=("self",))
    return rows.filter(pk=asset_id).first()


@transaction.atomic
def _judge(asset_id: int, policy: DetectionPolicy, *, now: datetime) -> Change | None:
    """One pass over a machine; None when another worker has it."""
    row = _locked(asset_id)
    if row is None:
        return None
    notes = list(MachineNote.objects.filter(asset=asset_id).order_by("pk"))
    if not notes:
        return Change()
    asset = Asset.objects.select_related("site").get(pk=asset_id)
    work = _work(asset, row, notes, policy)
    change = _replace(work, achieved.bearing_of_machine(asset, policy), notes, now=now)
    MachineNote.objects.filter(pk__in=[note.pk for note in notes]).delete()
    row.save(update_fields=["members", "judged_until"])
    return change


@dataclass(frozen=True, slots=True)
class _Work:
    """dirty: what lies before it stands; since, until: the rows that are judged in this pass, which
    begin with the anomalies that may go on behind `dirty`; rest: whether rows remain behind."""

    asset: Asset
    eras: tuple[Era, ...]
    dirty: np.datetime64
    since: np.datetime64
    until: np.datetime64
    rest: bool
    standing: tuple[Anomaly, ...]


def _work(
    asset: Asset, row: MachineDetection, notes: Sequence[MachineNote], policy: DetectionPolicy
) -> _Work:
    """What there is to do. Moves `row`."""
    noted = min(note.since for note in notes)
    before = readings.loaded(row.members)
    members = readings.members_of(asset.pk, before, dirty=noted)
    were, are = eras(before), eras(members)
    row.members = readings.stored(members)
    # What was not closed yet when it was last looked at is dirty too.
    known = [to_datetime64(time) for time in (noted, row.judged_until) if time is not None]
    dirty = min([*known, *_changed(were, are)])
    work = _bounded(asset, are, dirty, policy)
    row.judged_until = to_datetime(work.until)
    return work


def _bounded(
    asset: Asset, eras: tuple[Era, ...], dirty: np.datetime64, policy: DetectionPolicy
) -> _Work:
    """From the first row that is dirty, or an anomaly that may go on there, as far as is closed and
    one pass may go."""
    if not eras:
        return _Work(asset, eras, dirty, dirty, dirty, False, _standing(asset, dirty, None))
    era = _era_at(eras, dirty)
    dirty = era.row_of(dirty)
    since = _widened(asset, dirty, (merge_gap_rows(era, policy) + 1) * era.step)
    end = closed(readings.newest(eras[-1]), eras[-1])
    until = min(end, max(dirty, era.begin) + MAX_ROWS * era.step)
    standing = _standing(asset, since, until if until < end else None)
    return _Work(asset, eras, dirty, since, until, bool(until < end), standing)


def _widened(asset: Asset, since: np.datetime64, gap: np.timedelta64) -> np.datetime64:
    """Grown over the standing anomalies that reach to shortly before it, or beyond."""
    while True:
        near = _of(asset).filter(end__gte=to_datetime(since - gap), start__lt=to_datetime(since))
        first = near.aggregate(first=Min("start"))["first"]
        if first is None:
            return since
        since = to_datetime64(first)


def _standing(
    asset: Asset, since: np.datetime64, until: np.datetime64 | None
) -> tuple[Anomaly, ...]:
    """Those that begin in that time; until None: whenever after."""
    found = _of(asset).filter(start__gte=to_datetime(since)).select_related("sensor")
    if until is not None:
        found = found.filter(start__lt=to_datetime(until))
    return tuple(found.order_by("start"))


def _of(asset: Asset) -> AnomalyQuerySet:
    return Anomaly.objects.standing().filter(asset=asset)


def _changed(were: Sequence[Era], are: Sequence[Era]) -> list[np.datetime64]:
    """When the eras begin that are not what they were."""
    return [era.begin for era in {*were} ^ {*are}]


def _era_at(eras: Sequence[Era], time: np.datetime64) -> Era:
    return next((era for era in reversed(eras) if era.begin <= time), eras[0])


def _replace(
    work: _Work, policy: DetectionPolicy, notes: Sequence[MachineNote], *, now: datetime
) -> Change:
    sensors = Sensor.objects.in_bulk({number for era in work.eras for number in era.sensors})
    drafts: list[Draft] = []
    folded = [_folded(work, era, until) for era, until in _parts(work)]
    for judged, _ in folded:
        drafts += drafts_of(work.asset, sensors, judged, policy)
    reason = notes[0].reason
    plan = ledger.plan_of(
        work.standing,
        drafts,
        sensors,
        # Its own rows are clean: it goes on.
        grows=lambda anomaly: anomaly.end < to_datetime(work.dirty),
        reason=reason,
    )
    change = ledger.carry_out([plan], now=now)
    checkpoints.replace(work.asset.pk, [states for _, states in folded], work.eras, work.dirty)
    if work.rest:
        MachineNote.objects.create(
            asset=work.asset, since=to_datetime(work.until), reason=reason, created_at=now
        )
    return change


def _parts(work: _Work) -> Iterable[tuple[Era, np.datetime64]]:
    """The eras that rows are judged in, each with the time where its last one ends."""
    ends = [*(era.begin for era in work.eras[1:]), work.until]
    for era, end in zip(work.eras, ends, strict=False):
        until = era.row_of(min(end, work.until))
        if max(work.since, era.begin) < until:
            yield era, until


def _folded(work: _Work, era: Era, until: np.datetime64) -> tuple[Judged, States]:
    """The era's rows to be judged, and the states on the way there and among them."""
    since = max(work.since, era.begin)
    state, passed, found = checkpoints.before(work.asset.pk, era, since), [], []
    begin = state.time + era.step
    while True:
        end = min(until, begin + MAX_ROWS * era.step)
        rows = readings.rows_between(era, begin, end)
        judged, state, among = fold.fold(era, state, rows)
        passed += among
        if end > since:
            found.append(fold.tail(judged, since))
        if end == until:
            return fold.joined(found), States(era, state.rows, tuple(passed))
        begin = end

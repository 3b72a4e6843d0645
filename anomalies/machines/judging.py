"""Judging machines: what their notes make dirty is folded again, and its anomalies replaced.

A machine's row is locked meanwhile: who finds it locked leaves it to the worker that holds it,
which looks for notes again before it leaves. What it writes, the notes it took and the states it
keeps change in one transaction: one for all machines of a pass of which nothing that stands may
change, one each for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Min, Q
from django.db.models.expressions import Exists, OuterRef

from anomalies import achieved, ledger
from anomalies.detection_policy import DetectionPolicy
from anomalies.leases import Notes
from anomalies.ledger import Change, Plan
from anomalies.machines import checkpoints, passes, readings, works
from anomalies.machines.checkpoints import States
from anomalies.machines.findings import drafts_of
from anomalies.machines.fold import Judged
from anomalies.machines.works import Work
from anomalies.models import MachineDetection, MachineNote
from sensors.models import ScoringNote
from sensors.series import to_datetime

AT_ONCE = 64
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

    Safe to run many times at once. A machine that fails is tried after all others, by itself.
    """
    change, left = Change(), set[int]()
    while waiting := [pks for pks in _waiting(now=now) if not left.issuperset(pks)]:
        for pks in waiting:
            judged, found = _judge(_tried(pks, now=now), policy, now=now)
            change += found
            for pk in set(pks) - judged:
                done, found = _judge(_tried([pk], now=now), policy, now=now)
                change += found
                left |= {pk} - done
    return change


def _waiting(*, now: datetime) -> list[list[int]]:
    """Machines whose notes can be worked off, AT_ONCE at a time; those whose last try did not end
    alone and at the end."""
    noted = MachineNote.objects.values("asset").annotate(oldest=Min("created_at"))
    busy = ScoringNote.objects.open().filter(sensor__asset=OuterRef("asset"))
    ready = noted.filter(~Exists(busy) | Q(oldest__lt=now - WAITS))
    numbers = list(ready.order_by().values_list("asset", flat=True))
    MachineDetection.objects.bulk_create(
        [MachineDetection(asset_id=pk) for pk in numbers], ignore_conflicts=True
    )
    rows = MachineDetection.objects.filter(asset__in=numbers)
    ordered = rows.order_by(F("tried_at").asc(nulls_first=True), "pk")
    tried = list(ordered.values_list("pk", "tried_at"))
    fresh = [pk for pk, tried_at in tried if tried_at is None]
    together = [fresh[at : at + AT_ONCE] for at in range(0, len(fresh), AT_ONCE)]
    return together + [[pk] for pk, tried_at in tried if tried_at is not None]


@transaction.atomic
def _tried(asset_ids: Sequence[int], *, now: datetime) -> list[int]:
    """Write down that they are tried; those of them that no other worker has."""
    free = [row.pk for row in _locked(asset_ids)]
    MachineDetection.objects.filter(pk__in=free).update(tried_at=now)
    return free


def _locked(asset_ids: Sequence[int]) -> list[MachineDetection]:
    rows = MachineDetection.objects.select_for_update(skip_locked=True, of=("self",))
    return list(rows.filter(pk__in=asset_ids).order_by("pk"))


@transaction.atomic
def _judge(
    asset_ids: Sequence[int], policy: DetectionPolicy, *, now: datetime
) -> tuple[set[int], Change]:
    """One pass over machines: those that were judged, and what became of their anomalies.

    Of several those are left out of which an anomaly stands that may change: a change locks its
    row, and nobody is to wait for two. So are those that another worker has, and what is more than
    one pass should hold.
    """
    rows, is_alone = _locked(asset_ids), len(asset_ids) == 1
    if not rows:
        return set(), Change()
    notes: dict[int, list[MachineNote]] = {row.pk: [] for row in rows}
    for note in MachineNote.objects.filter(asset__in=notes).order_by("pk"):
        notes[note.asset_id].append(note)
    begun = works.begin([row for row in rows if notes[row.pk]], notes)
    busy = works.busy(begun, policy)
    found = [
        works.bounded(one, policy, is_busy=one.asset.pk in busy)
        for one in begun
        if is_alone or one.asset.pk not in busy
    ]
    if not is_alone:
        found = works.few(found, [work.rows for work in found])
    change = _replace(found, policy, now=now) if found else Change()
    idle = {pk for pk, own in notes.items() if not own}
    return idle | {work.asset.pk for work in found}, change


def _replace(found: Sequence[Work], policy: DetectionPolicy, *, now: datetime) -> Change:
    folded = passes.folded(found)
    plans = [_plan(work, passed, policy) for work, passed in zip(found, folded, strict=True)]
    change = ledger.carry_out(plans, now=now)
    checkpoints.replace(
        [
            checkpoints.Passed(
                work.asset.pk, [states for _, states in passed], work.eras, work.begun.dirty
            )
            for work, passed in zip(found, folded, strict=True)
        ]
    )
    _done(found, now=now)
    return change


def _plan(work: Work, passed: Sequence[tuple[Judged, States]], policy: DetectionPolicy) -> Plan:
    own, sensors, drafts = achieved.bearing_of_machine(work.asset, policy), work.begun.sensors, []
    for judged, _ in passed:
        drafts += drafts_of(work.asset, sensors, judged, own)
    return ledger.plan_of(
        work.standing,
        drafts,
        sensors,
        # Its own rows are clean: it goes on.
        grows=lambda anomaly: anomaly.end < to_datetime(work.begun.dirty),
        reason=work.reason,
    )


def _done(found: Sequence[Work], *, now: datetime) -> None:
    """The notes that were taken go; where rows remain behind a new one is left."""
    taken = [note.pk for work in found for note in work.begun.notes]
    MachineNote.objects.filter(pk__in=taken).delete()
    MachineNote.objects.bulk_create(
        MachineNote(
            asset=work.asset, since=to_datetime(work.until), reason=work.reason, created_at=now
        )
        for work in found
        if work.rest
    )
    for work in found:
        row = work.begun.row
        row.members, row.tried_at = readings.stored(work.begun.members), None
        row.judged_until = to_datetime(work.until)
    MachineDetection.objects.bulk_update(
        [work.begun.row for work in found], ["members", "judged_until", "tried_at"]
    )

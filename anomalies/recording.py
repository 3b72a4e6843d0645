"""What a pass found becomes rows: anomalies, checkpoints, notes and leases in one transaction.

Sensors of which nothing that stands is changed are stored together: what is only added waits for
nobody. A change of standing anomalies locks their rows, so each such sensor has a transaction of
its own: two workers never wait for each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from anomalies import checkpoints, leases, ledger
from anomalies.checkpoints import Passed, Unfolded
from anomalies.detection_policy import DetectionPolicy
from anomalies.findings import Finding, drafts_of
from anomalies.leases import Claim, Notes, Release
from anomalies.ledger import Change, Plan
from anomalies.machines import judging
from anomalies.regions import Region
from anomalies.scored import RUNGS, Scored
from mlops import tally
from mlops.serving import Champion, NoChampion
from sensors.models import ScoringNote

REASONS = {
    ScoringNote.Reason.INGEST: "late readings",
    ScoringNote.Reason.DEGRADED: "scored again by the champion",
    ScoringNote.Reason.MODEL: "another model was promoted",
    ScoringNote.Reason.STATE: "the machine's operating state was tagged",
    ScoringNote.Reason.VERDICT: "a verdict changed what is learnt from",
    ScoringNote.Reason.MANUAL: "scored again on request",
}

# After these the core's memory is another one.
RELEARNT = frozenset({ScoringNote.Reason.INGEST, ScoringNote.Reason.VERDICT})


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed sensor with its notes, its region and the model that is to judge it."""

    notes: list[Notes]
    region: Region
    served: Champion | NoChampion
    unfolded: Unfolded
    policy: DetectionPolicy

    @property
    def sensor_id(self) -> int:
        return self.region.sensor.pk

    @property
    def passed(self) -> Passed:
        return Passed(self.sensor_id, self.unfolded, new_since(self.notes))


@dataclass(frozen=True, slots=True)
class _Found:
    """A work with what is to be written of it. rung: that serves its newest reading."""

    work: Work
    rung: str
    plan: Plan


def new_since(notes: Sequence[Notes]) -> datetime | None:
    """Event time of the first reading that was never scored or learnt from as it is to be; None
    when all were."""
    new = [note.since for note in notes if note.reason in RELEARNT]
    return min(new, default=None)


def store(scored: Sequence[tuple[Work, Scored]], claim: Claim, *, now: datetime) -> Change:
    """Make rows of what was found, fenced by the lease's token; what became of the anomalies."""
    found = _found(scored)
    tally.fell_back(
        Counter(
            (one.work.served.name, one.rung)
            for one in found
            if isinstance(one.work.served, NoChampion) and one.work.served.name
        )
    )
    change = _store([one for one in found if one.plan.only_adds], claim, now=now)
    for one in found:
        if not one.plan.only_adds:
            change += _store([one], claim, now=now)
    return change


def _found(scored: Sequence[tuple[Work, Scored]]) -> list[_Found]:
    drafts = drafts_of([Finding(w.region, own, w.served, w.policy) for w, own in scored])
    return [
        _Found(
            work,
            RUNGS[own.serving[-1]],
            ledger.planned(work.region, each, reason=_reason(work.notes)),
        )
        for (work, own), each in zip(scored, drafts, strict=True)
    ]


@transaction.atomic
def _store(found: Sequence[_Found], claim: Claim, *, now: datetime) -> Change:
    held = leases.hold([one.work.sensor_id for one in found], claim.token)
    ours = [one for one in found if one.work.sensor_id in held]
    works = [one.work for one in ours]
    change = ledger.carry_out([one.plan for one in ours], now=now)
    checkpoints.replace([work.passed for work in works])
    _note_what_is_left(works)
    _done({work.sensor_id: work.notes for work in works}, now=now)
    leases.release([_released(one) for one in ours], now=now)
    return change


def _released(found: _Found) -> Release:
    served = found.work.served
    return Release(
        found.work.sensor_id,
        rung=found.rung,
        reason=served.reason,
        scored_until=found.work.region.until,
    )


@transaction.atomic
def come_nearer(works: Sequence[Work], claim: Claim, *, now: datetime) -> None:
    """The core's checkpoints lie far behind the notes: keep how far this pass came, and them."""
    held = leases.hold([work.sensor_id for work in works], claim.token)
    ours = [work for work in works if work.sensor_id in held]
    checkpoints.replace([work.passed for work in ours])
    leases.release([Release(work.sensor_id) for work in ours], now=now)


@transaction.atomic
def close(sensor_ids: Sequence[int], claim: Claim, *, now: datetime) -> None:
    """Notes that point at no readings, or at a retired sensor, are done."""
    held = leases.hold(sensor_ids, claim.token)
    _done({sensor_id: claim.notes[sensor_id] for sensor_id in held}, now=now)
    leases.release([Release(sensor_id) for sensor_id in held], now=now)


def _note_what_is_left(works: Sequence[Work]) -> None:
    """Dirty rows beyond this pass, and what the champion is to score again once it is back."""
    ScoringNote.objects.bulk_create(
        ScoringNote(
            sensor=work.region.sensor,
            since=work.region.until + timedelta(microseconds=1),
            until=work.region.rest_until,
            reason=work.notes[0].reason,
        )
        for work in works
        if work.region.rest_until is not None
    )
    ScoringNote.objects.hold(
        [
            (work.sensor_id, work.region.since, work.region.until)
            for work in works
            if work.served.expected
        ]
    )


def _done(notes: Mapping[int, Sequence[Notes]], *, now: datetime) -> None:
    """They are worked off as far as the sensors themselves go; their machines are next."""
    judging.hand_on(notes, reason=lambda one: REASONS[ScoringNote.Reason(one)], now=now)
    leases.done(note for own in notes.values() for note in own)


def _reason(notes: Sequence[Notes]) -> str:
    """What a change because of these notes is put down to: the most particular of their reasons."""
    noted = {note.reason for note in notes}
    return [text for reason, text in REASONS.items() if reason in noted][-1]

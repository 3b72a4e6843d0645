"""The anomaly detection agent: what is noted gets scored, once, by the best model to be had.

Detection is a function of the stored readings, the model version and the policy, in event time.
Who runs it, when, in what batches and how often makes no difference to where it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.conf import settings
from django.db import transaction

from anomalies import (
    achieved,
    checkpoints,
    folding,
    gaps,
    leases,
    ledger,
    predicted,
    predictions,
    regions,
    routing,
    silence,
    watch,
)
from anomalies.checkpoints import Passed, Unfolded
from anomalies.detection_policy import DetectionPolicy
from anomalies.findings import CORE, Recomputed, drafts_of, fingerprint
from anomalies.ledger import Change
from anomalies.models import Anomaly, Rung
from anomalies.regions import Region
from anomalies.scoring import (
    RUNGS,
    Limits,
    Scored,
    Stretch,
    core_scores,
    decades_of,
    score_again,
    score_stretches,
    with_core,
)
from mlops import serving
from mlops.serving import Champion, NoChampion
from sensors.models import Reading, ScoringNote, Sensor, SensorProfile
from sensors.series import to_datetime

REASONS = {
    ScoringNote.Reason.INGEST: "late readings",
    ScoringNote.Reason.DEGRADED: "scored again by the champion",
    ScoringNote.Reason.MODEL: "another model was promoted",
    ScoringNote.Reason.STATE: "the machine's operating state was tagged",
    ScoringNote.Reason.VERDICT: "a verdict changed what is learnt from",
    ScoringNote.Reason.MANUAL: "scored again on request",
}


@dataclass(frozen=True, slots=True)
class Drained:
    """What one pass did: sensors scored and what became of their anomalies."""

    sensors: int
    change: Change


@dataclass(frozen=True, slots=True)
class _Work:
    """A claimed sensor with its notes, its region and the model that is to judge it."""

    notes: list[ScoringNote]
    region: Region
    served: Champion | NoChampion
    unfolded: Unfolded
    policy: DetectionPolicy


def policy() -> DetectionPolicy:
    return DetectionPolicy(**settings.DETECTION_POLICY)


def drain(*, now: datetime, policy: DetectionPolicy) -> Drained:
    """Claim sensors that have open notes, score them and store what was found; one pass."""
    lease = timedelta(seconds=settings.DETECTION_LEASE_SECONDS)
    claim = leases.claim(now=now, limit=settings.DETECTION_CLAIM_SIZE, lease=lease)
    if not claim:
        return Drained(0, Change())
    change = watch.settle(claim.notes, now=now)
    routing.note(claim.notes, now=now)
    sensors = Sensor.objects.select_related("site").in_bulk(claim.notes)
    champions = serving.champions_for((sensor.pk, sensor.kind) for sensor in sensors.values())
    works, idle = [], []
    for sensor_id, notes in claim.notes.items():
        region = _load(sensors[sensor_id], notes, champions[sensor_id], policy)
        if region is None:
            idle.append((sensor_id, notes))
        else:
            own = achieved.bearing(sensors[sensor_id], policy)
            unfolded = _unfolded(region, notes)
            works.append(_Work(notes, region, champions[sensor_id], unfolded, own))
    for sensor_id, notes in idle:
        _close(sensor_id, notes, claim, now=now)
    for work in works:
        if work.unfolded.judged is None:
            _come_nearer(work, claim, now=now)
    for work, scored in _scored(works):
        change += _store(work, scored, claim, now=now)
    change += Change(changed=routing.route_due(now=now))
    return Drained(len(claim.notes), change)


def _load(
    sensor: Sensor,
    notes: Sequence[ScoringNote],
    served: Champion | NoChampion,
    policy: DetectionPolicy,
) -> Region | None:
    if not notes or sensor.status == Sensor.Status.RETIRED:
        return None
    return regions.load(
        sensor,
        since=min(note.since for note in notes),
        until=max(note.until for note in notes),
        champion=isinstance(served, Champion),
        policy=policy,
        new=_new_since(notes) is not None,
    )


# After these the core's memory is another one.
RELEARNT = frozenset({ScoringNote.Reason.INGEST, ScoringNote.Reason.VERDICT})


def _new_since(notes: Sequence[ScoringNote]) -> datetime | None:
    """Event time of the first reading that was never scored or learnt from as it is to be; None
    when all were."""
    new = [note.since for note in notes if note.reason in RELEARNT]
    return min(new, default=None)


def _unfolded(region: Region, notes: Sequence[ScoringNote]) -> Unfolded:
    stretch = region.stretch
    dirty = _new_since(notes) or region.since
    asked = checkpoints.Asked(region.sensor.pk, stretch.series, stretch.first, dirty)
    return checkpoints.unfold([asked])[0]


def _scored(works: Sequence[_Work]) -> Iterable[tuple[_Work, Scored]]:
    """Every work with its scores: one model call for all sensors that share a champion."""
    groups: dict[tuple[tuple[str, int] | None, DetectionPolicy], list[_Work]] = {}
    for work in works:
        served = work.served
        model = (served.name, served.version) if isinstance(served, Champion) else None
        key = (model, work.policy)
        if work.unfolded.judged is not None:
            groups.setdefault(key, []).append(work)
    for (_, policy), group in groups.items():
        served = group[0].served
        detector = served.detector if isinstance(served, Champion) else None
        stretches = [work.region.stretch for work in group]
        for work, scored in zip(group, score_stretches(stretches, detector, policy), strict=True):
            if (core := work.unfolded.judged) is not None:
                rarity, stood = folding.rarity(core), work.region.stretch.stood
                if stood is not None:
                    rarity = np.where(stood, 0.0, rarity)  # the core knows no operating states
                yield work, with_core(scored, core, rarity, policy)


@transaction.atomic
def _store(work: _Work, scored: Scored, claim: leases.Claim, *, now: datetime) -> Change:
    """Anomalies, notes and lease in one transaction, fenced by the lease's token."""
    region, sensor_id = work.region, work.region.sensor.pk
    if not leases.hold(sensor_id, claim.token):
        return Change()
    served = work.served
    drafts = drafts_of(region, scored, served, work.policy)
    change = ledger.replace(region, drafts, reason=_reason(work.notes), now=now)
    checkpoints.replace([_passed(work)])
    _note_what_is_left(work)
    _delete(work.notes)
    leases.release(
        sensor_id,
        rung=RUNGS[scored.serving[-1]],
        reason=served.reason if isinstance(served, NoChampion) else "",
        scored_until=region.until,
        now=now,
    )
    return change


@transaction.atomic
def _come_nearer(work: _Work, claim: leases.Claim, *, now: datetime) -> None:
    """The core's checkpoint lies far behind the notes: keep how far this pass came, and them."""
    sensor_id = work.region.sensor.pk
    if leases.hold(sensor_id, claim.token):
        checkpoints.replace([_passed(work)])
        leases.release(sensor_id, rung="", reason="", scored_until=None, now=now)


def _passed(work: _Work) -> Passed:
    return Passed(work.region.sensor.pk, work.unfolded, _new_since(work.notes))


@transaction.atomic
def _close(
    sensor_id: int, notes: Sequence[ScoringNote], claim: leases.Claim, *, now: datetime
) -> None:
    """Notes that point at no readings, or at a retired sensor, are done."""
    if leases.hold(sensor_id, claim.token):
        _delete(notes)
        leases.release(sensor_id, rung="", reason="", scored_until=None, now=now)


def _note_what_is_left(work: _Work) -> None:
    """Dirty rows beyond this pass, and what the champion is to score again once it is back."""
    region = work.region
    if region.rest_until is not None:
        ScoringNote.objects.create(
            sensor=region.sensor,
            since=region.until + timedelta(microseconds=1),
            until=region.rest_until,
            reason=work.notes[0].reason,
        )
    if isinstance(work.served, NoChampion) and work.served.expected:
        ScoringNote.objects.hold(region.sensor, since=region.since, until=region.until)


def _delete(notes: Sequence[ScoringNote]) -> None:
    ScoringNote.objects.filter(pk__in=[note.pk for note in notes]).delete()


def _reason(notes: Sequence[ScoringNote]) -> str:
    """What a change because of these notes is put down to: the most particular of their reasons."""
    noted = {note.reason for note in notes}
    return [text for reason, text in REASONS.items() if reason in noted][-1]


def release_held() -> int:
    """Open the notes of sensors whose champion can be had again; how many there were."""
    held = ScoringNote.objects.filter(held=True)
    sensors = Sensor.objects.filter(pk__in=held.values("sensor")).values_list("pk", "kind")
    served = serving.champions_for(sensors)
    back = [
        sensor
        for sensor, found in served.items()
        if isinstance(found, Champion) or not found.expected
    ]
    return held.filter(sensor__in=back).update(held=False)


class ReadingsDropped(Reading.DoesNotExist):
    """The readings that a score was computed from are past their retention."""

    def __init__(self, kept_from: datetime) -> None:
        super().__init__(
            "readings that it was computed from were dropped by retention; this sensor's are kept "
            f"from {kept_from:%Y-%m-%d %H:%M} UTC on"
        )


def recompute(anomaly: Anomaly) -> Recomputed:
    """Score the peak of an anomaly again from the stored readings, by the model it names.

    Raises serving.Unavailable or serving.Refused when that model cannot be had, ReadingsDropped
    when retention took a part of the readings, and Reading.DoesNotExist when they are gone.
    """
    kept_from = _kept_from(anomaly)
    if kept_from is not None and anomaly.peak < kept_from:
        raise ReadingsDropped(kept_from)
    if anomaly.detector == silence.DETECTOR:
        return gaps.recompute(anomaly)
    if anomaly.detector == predicted.DETECTOR:
        return predictions.recompute(anomaly)
    policy = DetectionPolicy(**anomaly.receipt["policy"])
    if anomaly.detector == CORE:
        return _by_core(anomaly, policy)
    champion = None
    if anomaly.rung == Rung.CHAMPION and anomaly.model_version is not None:
        champion = serving.load_detector(anomaly.model_name, anomaly.model_version)
    stretch = regions.single(
        anomaly.sensor_id,
        anomaly.peak,
        limits=Limits(**anomaly.receipt["limits"]),
        champion=champion is not None,
        policy=policy,
    )
    changed = fingerprint(stretch.series, stretch.first) != anomaly.receipt["window_sha256"]
    if changed and kept_from is not None and _begins_at(stretch, anomaly.sensor_id):
        raise ReadingsDropped(kept_from)
    return Recomputed(score_again(stretch, anomaly.rung, champion, policy), changed)


class AnotherCore(serving.Unavailable):
    """The core is not any more what it was when it gave a score."""


def _by_core(anomaly: Anomaly, policy: DetectionPolicy) -> Recomputed:
    if anomaly.receipt["core_version"] != folding.version():
        raise AnotherCore(
            f"it was judged by version {anomaly.receipt['core_version']} of the core, and this is "
            f"{folding.version()}; `manage.py detect` scores the readings again"
        )
    stretch = regions.single(
        anomaly.sensor_id,
        anomaly.peak,
        limits=Limits(**anomaly.receipt["limits"]),
        champion=True,
        policy=policy,
    )
    kept_from = _kept_from(anomaly)
    if kept_from is not None and not checkpoints.before(anomaly.sensor_id, anomaly.peak).rows:
        raise ReadingsDropped(kept_from)
    judged = checkpoints.judged_again(anomaly.sensor_id, stretch.series, stretch.first)
    changed = fingerprint(stretch.series, stretch.first) != anomaly.receipt["window_sha256"]
    scores = core_scores(folding.rarity(judged), decades_of(stretch, policy), policy)
    return Recomputed(float(scores[0]), changed)


def _kept_from(anomaly: Anomaly) -> datetime | None:
    profile = SensorProfile.objects.filter(sensor=anomaly.sensor_id).first()
    return profile.kept_from if profile else None


def _begins_at(stretch: Stretch, sensor_id: int) -> bool:
    """Whether the sensor has no reading before this stretch: it may be cut short."""
    first = to_datetime(stretch.series.times[0])
    return not len(Reading.objects.before(sensor_id, first, 1))

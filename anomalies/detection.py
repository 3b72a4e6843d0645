"""The anomaly detection agent: what is noted gets scored, once, by the best model to be had.

Detection is a function of the stored readings, the model version and the policy, in event time.
Who runs it, when, in what batches and how often makes no difference to where it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.conf import settings

from anomalies import (
    achieved,
    alarm_rate,
    checkpoints,
    fleet_rung,
    folding,
    leases,
    pasts,
    recording,
    regions,
    routing,
    watch,
)
from anomalies.detection_policy import DetectionPolicy
from anomalies.familiar import look
from anomalies.leases import Notes
from anomalies.ledger import Change
from anomalies.machines import judging
from anomalies.newcomers import Fleet, with_fleet
from anomalies.recording import Work
from anomalies.regions import Noted, Region
from anomalies.scenes import Known
from anomalies.scored import Scored
from anomalies.scoring import score_stretches, with_core
from mlops import serving, shadow
from mlops.serving import Champion
from sensors import state_sources
from sensors.models import ScoringNote, Sensor


@dataclass(frozen=True, slots=True)
class Drained:
    """What one pass did: sensors scored and what became of their anomalies."""

    sensors: int
    change: Change


def policy() -> DetectionPolicy:
    return DetectionPolicy(**settings.DETECTION_POLICY)


def drain(*, now: datetime, policy: DetectionPolicy) -> Drained:
    """Claim sensors that have open notes, score them and store what was found; one pass."""
    lease = timedelta(seconds=settings.DETECTION_LEASE_SECONDS)
    claim = leases.claim(now=now, limit=settings.DETECTION_CLAIM_SIZE, lease=lease)
    if not claim:
        return Drained(0, Change())
    state_sources.follow(
        ((pk, min(note.since for note in notes)) for pk, notes in claim.notes.items() if notes),
        now=now,
    )
    change = watch.settle(claim.notes, now=now)
    routing.note(claim.notes, now=now)
    works, idle = _works(claim, policy)
    recording.close(idle, claim, now=now)
    young = fleet_rung.fleets_of(work.region for work in works)
    far = [work for work in works if work.unfolded.judged is None]
    recording.come_nearer(far, claim, now=now)
    known: dict[int, Known] = {}
    scored = list(_scored(works, young, known))
    change += recording.store(scored, claim, now=now)
    _challenge(scored, now=now)
    change += judging.judge_due(now=now, policy=policy)
    change += Change(changed=routing.route_due(now=now, known=known))
    return Drained(len(claim.notes), change)


def _works(claim: leases.Claim, policy: DetectionPolicy) -> tuple[list[Work], list[int]]:
    """What is to be scored, and the sensors of which nothing is."""
    sensors = Sensor.objects.select_related("site").in_bulk(claim.notes)
    served = serving.champions_for((sensor.pk, sensor.kind) for sensor in sensors.values())
    noted = [
        _noted(sensors[pk], notes, champion=isinstance(served[pk], Champion))
        for pk, notes in claim.notes.items()
        if notes and sensors[pk].status != Sensor.Status.RETIRED
    ]
    found = [region for region in regions.load(noted, policy) if region is not None]
    asked = [_asked(region, claim.notes[region.sensor.pk]) for region in found]
    works = [
        Work(
            notes=claim.notes[region.sensor.pk],
            region=region,
            served=served[region.sensor.pk],
            unfolded=unfolded,
            policy=achieved.bearing(region.sensor, policy),
        )
        for region, unfolded in zip(found, checkpoints.unfold(asked), strict=True)
    ]
    return works, list(claim.notes.keys() - {work.sensor_id for work in works})


def _noted(sensor: Sensor, notes: Sequence[Notes], *, champion: bool) -> Noted:
    return Noted(
        sensor,
        since=min(note.since for note in notes),
        until=max(note.until for note in notes),
        champion=champion,
        new=recording.new_since(notes) is not None,
    )


def _asked(region: Region, notes: Sequence[Notes]) -> checkpoints.Asked:
    stretch = region.stretch
    dirty = recording.new_since(notes) or region.since
    return checkpoints.Asked(region.sensor.pk, stretch.series, stretch.first, dirty)


def _scored(
    works: Sequence[Work], young: Mapping[int, Fleet], known: dict[int, Known]
) -> Iterable[tuple[Work, Scored]]:
    """Every work with its scores: one model call for all sensors that share a champion.

    young: the fleets of those that are new. known: takes the features of those in whose context all
    readings are alike.
    """
    judged = [pair for group in _groups(works) for pair in _by_rungs(group)]
    for (work, by_rung), scored in zip(judged, _looked_at_again(judged), strict=True):
        stretch = work.region.stretch
        if not stretch.conditions:
            known[work.sensor_id] = Known(stretch.series, stretch.first, by_rung.features)
        if (core := work.unfolded.judged) is not None:
            rarity, stood = folding.rarity(core), stretch.stood
            if stood is not None:
                rarity = np.where(stood, 0.0, rarity)  # the core knows no operating states
            found = with_core(scored, core, rarity, work.policy)
            own = young.get(work.sensor_id)
            yield work, found if own is None else with_fleet(found, stretch, own)


def _groups(works: Sequence[Work]) -> Iterable[list[Work]]:
    """Those of which the core has judged all, by champion and policy."""
    groups: dict[tuple[tuple[str, int] | None, DetectionPolicy], list[Work]] = {}
    for work in works:
        served = work.served
        model = (served.name, served.version) if isinstance(served, Champion) else None
        if work.unfolded.judged is not None:
            groups.setdefault((model, work.policy), []).append(work)
    return groups.values()


def _by_rungs(group: Sequence[Work]) -> Iterable[tuple[Work, Scored]]:
    served = group[0].served
    detector = served.detector if isinstance(served, Champion) else None
    stretches = [work.region.stretch for work in group]
    return zip(group, score_stretches(stretches, detector, group[0].policy), strict=True)


def _challenge(scored: Iterable[tuple[Work, Scored]], *, now: datetime) -> None:
    """Challengers say what they would have said."""
    shadow.keep(
        (
            _seen(work, found, work.served)
            for work, found in scored
            if isinstance(work.served, Champion) and work.served.challenger is not None
        ),
        now=now,
    )


def _seen(work: Work, scored: Scored, served: Champion) -> shadow.Seen:
    newest = slice(-shadow.MAX_ROWS, None)
    level = alarm_rate.champion_level(scored.decades[newest])
    return shadow.Seen(
        work.sensor_id,
        work.region.stretch.times[newest],
        scored.features[newest],
        served,
        levelled=lambda scores: alarm_rate.at_level(scores, level),
    )


def _looked_at_again(judged: Sequence[tuple[Work, Scored]]) -> list[Scored]:
    """What the rungs find odd with their short memory may be what it does every day."""
    due = [i for i, (work, scored) in enumerate(judged) if look.is_due(scored, work.policy)]
    asked = [(judged[i][0].region.sensor, judged[i][0].region.stretch) for i in due]
    found = [scored for _, scored in judged]
    seen = look.look_again(
        [
            look.Asked(stretch, found[i], past, judged[i][0].policy)
            for i, (_, stretch), past in zip(due, asked, pasts.pasts_of(asked), strict=True)
        ]
    )
    for i, again in zip(due, seen, strict=True):
        found[i] = again
    return found


def release_held() -> int:
    """Open the notes of sensors whose champion can be had again; how many there were."""
    held = ScoringNote.objects.filter(held=True)
    sensors = Sensor.objects.filter(pk__in=held.values("sensor")).values_list("pk", "kind")
    served = serving.champions_for(sensors)
    back = [sensor for sensor, found in served.items() if not found.expected]
    return held.filter(sensor__in=back).update(held=False)

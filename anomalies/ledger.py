"""Writing what detection found: replace a region's anomalies, and leave a trace of every change.

An anomaly that grows with new readings is updated in place. Any other change is a revision: the
row carries the new finding, AnomalyRevision the old and the new one and the reason. What is no
longer found is withdrawn, not deleted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from anomalies import predicted, silence
from anomalies.findings import DRAFT_FIELDS, Draft
from anomalies.models import Anomaly, AnomalyRevision, NatureSort
from anomalies.regions import Region
from sensors.models import Sensor

TRACED = (
    *("sensor_id", "start", "peak", "end", "score", "rung", "detector"),
    *("model_name", "model_version", "nature", "nature_sort"),
)
EXACT = (
    *("sensor_id", "start", "peak", "end", "is_open", "readings"),
    *("rung", "detector", "model_name", "model_version"),
)
# Whose fault it is says routing, once the row is there.
OWN_FIELDS = tuple(name for name in DRAFT_FIELDS if name != "nature")
SAME_SCORE = 1e-9


@dataclass(frozen=True, slots=True)
class Change:
    """How many anomalies a pass created, changed and withdrew."""

    created: int = 0
    changed: int = 0
    withdrawn: int = 0

    def __add__(self, other: Change) -> Change:
        return Change(
            self.created + other.created,
            self.changed + other.changed,
            self.withdrawn + other.withdrawn,
        )

    def __bool__(self) -> bool:
        return bool(self.created or self.changed or self.withdrawn)


@dataclass(frozen=True, slots=True)
class Plan:
    """How standing anomalies come to equal drafts. sensors: of the drafts, by number; changed: a
    standing anomaly, the draft that it becomes, and whether it only grows."""

    sensors: Mapping[int, Sensor]
    reason: str
    new: tuple[Draft, ...]
    changed: tuple[tuple[Anomaly, Draft, bool], ...]
    gone: tuple[Anomaly, ...]

    @property
    def only_adds(self) -> bool:
        return not (self.changed or self.gone)


def planned(region: Region, drafts: Sequence[Draft], *, reason: str) -> Plan:
    """What makes the standing anomalies of a region equal to the drafts."""
    joined = bool(drafts) and region.prefix is not None and drafts[0].start == region.prefix.start
    standing = [a for a in region.standing if joined or a is not region.prefix]
    sensors = {region.sensor.pk: region.sensor}
    return plan_of(standing, drafts, sensors, grows=lambda one: one is region.prefix, reason=reason)


def plan_of(
    standing: Sequence[Anomaly],
    drafts: Sequence[Draft],
    sensors: Mapping[int, Sensor],
    *,
    grows: Callable[[Anomaly], bool],
    reason: str,
) -> Plan:
    """What makes standing anomalies equal to drafts. grows: whether one only goes on."""
    pairs = _matched(standing, drafts)
    kept = {match.pk for match, _ in pairs if match is not None}
    return Plan(
        sensors=sensors,
        reason=reason,
        new=tuple(draft for match, draft in pairs if match is None),
        changed=tuple(
            (match, draft, grows(match))
            for match, draft in pairs
            if match is not None and not _stays(match, draft)
        ),
        gone=tuple(anomaly for anomaly in standing if anomaly.pk not in kept),
    )


def carry_out(plans: Sequence[Plan], *, now: datetime) -> Change:
    """Call it in a transaction; with several plans only where they all only add."""
    changed = 0
    for plan in plans:
        for anomaly in plan.gone:
            withdraw(anomaly, reason=plan.reason, now=now)
        for match, draft, grows in plan.changed:
            changed += update(match, draft, grows=grows, reason=plan.reason, now=now)
    new = [
        new_row(plan.sensors[draft.sensor_id], draft, now=now)
        for plan in plans
        for draft in plan.new
    ]
    Anomaly.objects.bulk_create(new)
    return Change(
        created=len(new), changed=changed, withdrawn=sum(len(plan.gone) for plan in plans)
    )


def _matched(
    standing: Sequence[Anomaly], drafts: Sequence[Draft]
) -> list[tuple[Anomaly | None, Draft]]:
    """Each draft with the standing anomaly it is about: same start first, else first to overlap."""
    free = list(standing)
    found: dict[int, Anomaly] = {}
    for test in (_same_start, _overlap):
        for i, draft in enumerate(drafts):
            match = next((a for a in free if i not in found and test(a, draft)), None)
            if match is not None:
                found[i] = match
                free.remove(match)
    return [(found.get(i), draft) for i, draft in enumerate(drafts)]


def _same_start(anomaly: Anomaly, draft: Draft) -> bool:
    return anomaly.start == draft.start


def _overlap(anomaly: Anomaly, draft: Draft) -> bool:
    return anomaly.start <= draft.end and draft.start <= anomaly.end


def new_row(sensor: Sensor, draft: Draft, *, now: datetime) -> Anomaly:
    """An anomaly as the draft has it, not saved yet, to be routed and validated."""
    of_readings = draft.detector not in (silence.DETECTOR, predicted.DETECTOR)
    row = Anomaly(
        detected_at=now,
        updated_at=now,
        validation_due_at=now,
        routing_due_at=now if of_readings else None,
        nature_sort=NatureSort.SILENCE if draft.detector == silence.DETECTOR else "",
        **draft.fields(),
    )
    row.sensor = sensor
    return row


def update(anomaly: Anomaly, draft: Draft, *, grows: bool, reason: str, now: datetime) -> int:
    """Make a standing anomaly equal to the draft; 1 if anything changed. grows: leave no trace."""
    if _stays(anomaly, draft):
        return 0
    same, before = _same(anomaly, draft), trace(anomaly)
    for name in OWN_FIELDS:
        setattr(anomaly, name, getattr(draft, name))
    # Also when only its window changed: the readings before it are what it is validated by.
    anomaly.updated_at = anomaly.validation_due_at = now
    changed = [*OWN_FIELDS, "updated_at", "validation_due_at"]
    if anomaly.routed_at is not None or anomaly.routing_due_at is not None:
        anomaly.routing_due_at, anomaly.routed_since, anomaly.routed_until = now, None, None
        changed += ["routing_due_at", "routed_since", "routed_until"]
    if not (grows or same):
        revise(anomaly, before, trace(anomaly), reason=reason, now=now)
    # Only what detection owns: a review or a validation of the same row may be under way.
    anomaly.save(update_fields=changed)
    return 1


def withdraw(anomaly: Anomaly, *, reason: str, now: datetime) -> None:
    """Take an anomaly back, with a trace. It goes on no more."""
    before = trace(anomaly)
    anomaly.withdrawn_at = anomaly.updated_at = anomaly.episode_due_at = now
    anomaly.validation_due_at = None
    anomaly.is_open = False
    changed = ("withdrawn_at", "updated_at", "validation_due_at", "is_open")
    anomaly.save(update_fields=[*changed, "episode_due_at"])
    revise(anomaly, before, {"withdrawn": True}, reason=reason, now=now)


def revise(
    anomaly: Anomaly,
    before: dict[str, Any],
    after: dict[str, Any],
    *,
    reason: str,
    now: datetime,
) -> None:
    """Leave a trace of a change, under the next number. Call it in a transaction.

    The number is counted in the row: routing may have revised it since it was loaded.
    """
    Anomaly.objects.filter(pk=anomaly.pk).update(revision=F("revision") + 1)
    anomaly.refresh_from_db(fields=["revision"])
    AnomalyRevision.objects.create(
        anomaly=anomaly,
        revision=anomaly.revision,
        reason=reason,
        before=before,
        after=after,
        at=now,
    )


def _stays(anomaly: Anomaly, draft: Draft) -> bool:
    """Whether it says what the draft says, of the same readings."""
    if not _same(anomaly, draft):
        return False
    return bool(anomaly.receipt["window_sha256"] == draft.receipt["window_sha256"])


def _same(anomaly: Anomaly, draft: Draft) -> bool:
    return all(getattr(anomaly, name) == getattr(draft, name) for name in EXACT) and math.isclose(
        anomaly.score, draft.score, rel_tol=0, abs_tol=SAME_SCORE
    )


def trace(anomaly: Anomaly) -> dict[str, Any]:
    """What a revision keeps of an anomaly."""
    values = {name: getattr(anomaly, name) for name in TRACED}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }

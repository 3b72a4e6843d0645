"""Training a kind's model again when its sensors drifted or it grew old, one at a time.

What comes out is a challenger. Champion it becomes only where the gate lets it and every site whose
sensors it would judge allows that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from mlops import datasets, gate, promotion, registry, retraining_policy, serving
from mlops.approval import Refused
from mlops.models import Drift, ModelApproval, Retraining
from mlops.pipelines import NoData, Order, Trained, anomaly
from mlops.retraining_policy import Due, NotDue, RetrainingPolicy, Standing
from sensors.models import Sensor

log = logging.getLogger(__name__)

# Longer than the training queue lets a job run: its worker is gone.
LOST_AFTER = timedelta(hours=2)
DAY = timedelta(days=1)
_TROUBLE = (
    *(NoData, Refused, serving.Unavailable),
    *(registry.RegistryAway, registry.NotRegistered),
)


def policy() -> RetrainingPolicy:
    return retraining_policy.parse(settings.RETRAINING_POLICY)


def look(*, now: datetime, policy: RetrainingPolicy) -> Iterator[tuple[str, Due | NotDue]]:
    """Each kind that any scored sensor has, and whether its model is to be trained again."""
    for kind in datasets.kinds():
        yield kind, retraining_policy.judge(_standing(kind, now), policy)


def run_due(
    *, clock: Callable[[], datetime], policy: RetrainingPolicy, seed: int = 0
) -> list[Retraining]:
    """Train again what is due, one after another. Nothing while somebody else does."""
    done = []
    for kind, found in list(look(now=clock(), policy=policy)):
        if isinstance(found, Due):
            begun = _begin(kind, found.reason, policy, now=clock())
            if begun is None:
                log.info("%s waits: another retraining is running", kind)
                break
            done.append(_run(begun, clock, seed))
    return done


def _standing(kind: str, now: datetime) -> Standing:
    newest = ModelApproval.objects.filter(name=serving.model_for_kind(kind)).first()
    last = Retraining.objects.filter(kind=kind).first()
    sensors = Sensor.objects.scored().filter(kind=kind)
    drifts = Drift.objects.filter(sensor__in=sensors)
    if newest is not None:
        drifts = drifts.filter(found_at__gt=newest.approved_at)
    return Standing(
        age_days=(now - newest.approved_at) / DAY if newest else None,
        drifted=drifts.values("sensor").distinct().count(),
        sensors=sensors.count(),
        since_last_days=(now - last.began_at) / DAY if last else None,
    )


def _begin(kind: str, reason: str, policy: RetrainingPolicy, *, now: datetime) -> Retraining | None:
    """The row that says that this one runs; None while another does."""
    lost = Retraining.objects.filter(state=Retraining.State.RUNNING, began_at__lt=now - LOST_AFTER)
    lost.update(state=Retraining.State.FAILED, outcome="its worker was lost", ended_at=now)
    try:
        with transaction.atomic():
            return Retraining.objects.create(
                kind=kind,
                name=serving.model_for_kind(kind),
                reason=reason,
                policy=policy.as_dict(),
                began_at=now,
            )
    except IntegrityError:
        return None


def _run(row: Retraining, clock: Callable[[], datetime], seed: int) -> Retraining:
    try:
        best = _trained(row, clock(), seed)
        row.version = best.version
        row.state, row.outcome = _placed(row, best, now=clock())
    except _TROUBLE as error:
        row.state, row.outcome = Retraining.State.FAILED, str(error)
    row.ended_at = clock()
    row.save(update_fields=["version", "state", "outcome", "ended_at"])
    log.info("%s: %s, %s", row, row.reason, row.outcome)
    return row


def _trained(row: Retraining, now: datetime, seed: int) -> Trained:
    """The best candidate, registered and approved. NoData, RegistryAway."""
    lines: list[str] = []
    order = Order(now=now, seed=seed, promote=False, kinds=(row.kind,), say=lines.append)
    try:
        return anomaly.run(order)[0]
    except NoData as error:
        raise NoData("; ".join([*lines, str(error)])) from error


def _placed(row: Retraining, best: Trained, *, now: datetime) -> tuple[str, str]:
    """What becomes of the version, and why."""
    registry.set_alias(row.name, registry.CHALLENGER, best.version)
    asking = _sites_that_want_to_be_asked(row.kind)
    if asking:
        verdict = gate.judge(row.name, best.version, now=now)
        return Retraining.State.CHALLENGER, f"{verdict.reason}; {', '.join(asking)} decides by hand"
    try:
        made = promotion.promote(
            row.name, best.version, reason=f"trained again: {row.reason}", now=now
        )
    except promotion.NotBetter as refused:
        return Retraining.State.CHALLENGER, refused.verdict.reason
    return Retraining.State.CHAMPION, made.gate


def _sites_that_want_to_be_asked(kind: str) -> list[str]:
    sensors = Sensor.objects.scored().filter(kind=kind, site__promotes_retrained=False)
    return sorted(set(sensors.values_list("site__name", flat=True)))

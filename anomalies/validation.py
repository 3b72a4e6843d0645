"""The validation agent: is this anomaly credible?

An anomaly waits while `validation_due_at` is set. Taking one moves that time into the future in a
transaction of its own: a worker that dies, or an error nobody foresaw, leaves it due again after
the lease and holds up no other.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from time import perf_counter

from django.db import transaction
from django.db.models import Q

from anomalies import cases, rules, thresholds
from anomalies.judgement import Judgement, failed, judge
from anomalies.models import Anomaly, Validation, ValidationRule
from anomalies.policy import Policies, ValidationPolicy
from anomalies.rules import Rule
from sensors.models import Sensor

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
# What judging raises for rows that hold nonsense: JudgementError (a ValueError) where we foresaw
# it, the others where we did not. Loading is not covered: its errors pass, and the anomaly is taken
# again after its lease.
JUDGING_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


def validate_due(*, now: datetime, limit: int = 100) -> int:
    """Judge up to `limit` waiting anomalies, oldest first; how many were judged.

    Safe to run many times at once: an anomaly is taken by one worker. Raises PolicyError, before
    taking any, when VALIDATION_POLICY cannot be read.
    """
    known = thresholds.in_force()
    judged = 0
    for _ in range(limit):
        anomaly_id = _take(now=now)
        if anomaly_id is None:
            break
        judged += _validate_taken(anomaly_id, known, now=now)
    return judged


@transaction.atomic
def validate(*, anomaly: Anomaly, policy: ValidationPolicy, now: datetime) -> Validation:
    """Judge one anomaly and store the decision with every term of its confidence.

    A judgement that fails is stored too, as `validation_error` with its reason.
    """
    began = perf_counter()
    found = cases.around(anomaly, policy, at=now)
    rows = rule_rows_for(anomaly.sensor)
    try:
        evidence = cases.evidence_of(anomaly, found)
        judgement = judge(
            evidence, found.history, in_force(rows), found.posterior, policy, found.precedents
        )
    except JUDGING_FAULTS as error:
        logger.exception("anomaly %s cannot be judged", anomaly.pk)
        judgement = failed(error)
    took_ms = (perf_counter() - began) * 1000
    return _record(anomaly, judgement, policy, took_ms=took_ms, now=now)


def rule_rows_for(sensor: Sensor, *, unsaved: ValidationRule | None = None) -> list[ValidationRule]:
    """The rows of a sensor's site and kind, the more special ones last.

    unsaved: counts as it is in place of what is stored of it.
    """
    rows = ValidationRule.objects.filter(
        Q(site__isnull=True) | Q(site=sensor.site_id), Q(kind="") | Q(kind=sensor.kind)
    )
    found = [row for row in rows if unsaved is None or row.pk != unsaved.pk]
    if unsaved is not None and _concerns(unsaved, sensor):
        found.append(unsaved)
    return sorted(found, key=_specialty)


def _concerns(rule: ValidationRule, sensor: Sensor) -> bool:
    return rule.site_id in {None, sensor.site_id} and rule.kind in {"", sensor.kind}


def _specialty(row: ValidationRule) -> tuple[bool, str, int, int]:
    """Where it stands: for every site first, for every kind first, then by priority and age."""
    return row.site_id is not None, row.kind, row.priority, row.pk or sys.maxsize


def in_force(rows: Iterable[ValidationRule]) -> tuple[Rule, ...]:
    """The defaults and then the rows, by priority. Raises RuleError for an enabled row gone bad.

    Of rows with one name the last counts: the site's own outranks the one for every site, and the
    kind's own the one for every kind. A disabled row switches off the default of its name.
    """
    by_name = {row.name: row for row in rows}
    ordered = sorted(by_name.values(), key=lambda row: (row.priority, row.name))
    own = [(row.name, row.parsed() if row.enabled else None) for row in ordered]
    return rules.merge(rules.DEFAULTS, own)


def _record(
    anomaly: Anomaly,
    judgement: Judgement,
    policy: ValidationPolicy,
    *,
    took_ms: float,
    now: datetime,
) -> Validation:
    anomaly.decision = judgement.decision.value
    anomaly.status = judgement.status.value
    anomaly.confidence = judgement.confidence
    anomaly.validation_due_at = None
    anomaly.episode_due_at = now
    judged = ("decision", "status", "confidence", "validation_due_at")
    anomaly.save(update_fields=[*judged, "episode_due_at"])
    return Validation.objects.create(
        anomaly=anomaly,
        revision=anomaly.revision,
        decision=anomaly.decision,
        status=anomaly.status,
        confidence=judgement.confidence,
        terms=[asdict(term) for term in judgement.terms],
        policy=asdict(policy),
        validated_at=now,
        took_ms=took_ms,
    )


@transaction.atomic
def _take(*, now: datetime) -> int | None:
    """Lease the anomaly that has waited longest, unless another worker is just taking it."""
    due = Anomaly.objects.awaiting_validation().filter(validation_due_at__lte=now)
    taken: int | None = (
        due.order_by("validation_due_at", "id")
        .select_for_update(skip_locked=True)
        .values_list("pk", flat=True)
        .first()
    )
    if taken is not None:
        Anomaly.objects.filter(pk=taken).update(validation_due_at=now + LEASE)
    return taken


@transaction.atomic
def _validate_taken(anomaly_id: int, known: Policies, *, now: datetime) -> bool:
    """Judge it if it is still ours: detection may have changed it, or the lease run out."""
    ours = Anomaly.objects.awaiting_validation().filter(
        pk=anomaly_id, validation_due_at=now + LEASE
    )
    anomaly = ours.select_related("sensor__site").select_for_update(of=("self",)).first()
    if anomaly is None:
        return False
    policy = known.of(sensor_id=anomaly.sensor_id, kind=anomaly.sensor.kind)
    validate(anomaly=anomaly, policy=policy, now=now)
    return True

"""Calibration as rows: proposals from stored verdicts, applied and reverted with a trace."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from anomalies import calibration, cases, profiles, thresholds, validation
from anomalies.calibration import Proposal, Said, Thresholds
from anomalies.models import Calibration, Verdict
from anomalies.policy import Policies
from anomalies.rejudging import Case, rejudge
from anomalies.rules import Rule
from sensors.models import Sensor
from sensors.querysets import SensorQuerySet

MOST_VERDICTS = 500  # of a kind at a site, the newest


@dataclass(frozen=True, slots=True)
class Scope:
    """One sensor, or without one every sensor of a kind at a site."""

    site: int
    kind: str
    sensor: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Proposed:
    """newest: when the newest of its verdicts was given."""

    scope: Scope
    proposal: Proposal
    newest: datetime


def propose(sensors: SensorQuerySet) -> Iterator[Proposed]:
    """For each kind at a site, and each sensor, of which people said anything.

    What a judgement would have been is found from what was known before its verdict.
    """
    policies = thresholds.in_force()
    wanted = sensors.order_by("site", "kind", "pk").select_related("site")
    groups: dict[tuple[int, str], list[Sensor]] = {}
    for sensor in wanted:
        groups.setdefault((sensor.site_id, sensor.kind), []).append(sensor)
    for (site, kind), members in groups.items():
        verdicts = _verdicts(site, kind, policies)
        if not verdicts:
            continue
        place = f"{kind} at {members[0].site}"
        yield _proposed(Scope(site, kind, None, place), verdicts, None, members[0], policies)
        for sensor in members:
            if any(case.sensor == sensor.pk for case, _ in verdicts):
                scope = Scope(site, kind, sensor.pk, sensor.external_id)
                yield _proposed(scope, verdicts, sensor.pk, sensor, policies)


def _verdicts(site: int, kind: str, policies: Policies) -> list[tuple[Case, Said]]:
    """Every verdict with the confidence that its anomaly had before it."""
    rows = profiles.reviewed().filter(sensor__site=site, sensor__kind=kind)
    newest = list(rows.select_related("sensor__site").order_by("-reviewed_at")[:MOST_VERDICTS])
    given = {row.pk: row.reviewed_at for row in newest}
    sensors = {row.sensor_id: row.sensor for row in newest}
    rules = {pk: _rules(sensor) for pk, sensor in sensors.items()}
    found = rejudge(
        cases.past(newest, policies),
        rules_of=lambda case: rules[case.sensor],
        policies=policies,
    )
    return [
        (
            one.case,
            Said(
                anomaly=one.case.anomaly,
                confidence=one.would_be.confidence,
                is_confirmed=one.case.verdict == Verdict.CONFIRMED,
                given=given[one.case.anomaly],
            ),
        )
        for one in found
    ]


def _rules(sensor: Sensor) -> tuple[Rule, ...]:
    return validation.in_force(validation.rule_rows_for(sensor))


def _proposed(
    scope: Scope,
    verdicts: Sequence[tuple[Case, Said]],
    sensor: int | None,
    example: Sensor,
    policies: Policies,
) -> Proposed:
    """For a sensor what was confirmed of others of its kind protects faults it has not had yet."""
    said = [
        Said(one.anomaly, one.confidence, one.is_confirmed, one.given,
             own=sensor is None or case.sensor == sensor)
        for case, one in verdicts
    ]  # fmt: skip
    judged = policies.of(sensor_id=example.pk, kind=example.kind)
    before = Thresholds(judged.false_positive_threshold, judged.credible_threshold)
    newest = max(one.given for one in said if one.own)
    return Proposed(scope, calibration.propose(said, before), newest)


def applicable(found: Proposed) -> bool:
    """Whether it moves anything, may be applied, and is no news that a person reverted."""
    if found.proposal.refusal or not found.proposal.moves:
        return False
    reverted = Calibration.objects.filter(
        site=found.scope.site,
        kind=found.scope.kind,
        sensor=found.scope.sensor,
        reverted_at__isnull=False,
        newest_verdict_at__gte=found.newest,
    )
    return not reverted.exists()


def apply(found: Proposed, *, person: User | None, now: datetime) -> Calibration:
    """Later anomalies of the scope are judged by it; those judged already stay as they are.

    Raises ValueError for a proposal that is refused.
    """
    proposal = found.proposal
    if proposal.refusal:
        raise ValueError(f"{found.scope.name}: {proposal.refusal}")
    return Calibration.objects.create(
        site_id=found.scope.site,
        kind=found.scope.kind,
        sensor_id=found.scope.sensor,
        false_positive_threshold=proposal.after.false_positive,
        credible_threshold=proposal.after.credible,
        before=asdict(proposal.before),
        report={
            "made_from": proposal.made_from,
            "before": asdict(proposal.tried_before),
            "after": asdict(proposal.tried_after),
        },
        newest_verdict_at=found.newest,
        made_by=person,
        made_at=now,
    )


def run(*, now: datetime, sensors: SensorQuerySet | None = None) -> list[Calibration]:
    """What the clock does: apply every proposal that may be."""
    all_of_them = Sensor.objects.scored() if sensors is None else sensors
    return [
        apply(found, person=None, now=now)
        for found in list(propose(all_of_them))
        if applicable(found)
    ]


@transaction.atomic
def revert(numbers: Collection[int], *, person: User | None, now: datetime) -> list[Calibration]:
    """Take calibrations back; those that were in force are not any more. Twice is once."""
    rows = Calibration.objects.select_for_update().filter(pk__in=numbers, reverted_at__isnull=True)
    found = list(rows.order_by("pk"))
    for row in found:
        row.reverted_at, row.reverted_by = now, person
        row.save(update_fields=["reverted_at", "reverted_by"])
    return found

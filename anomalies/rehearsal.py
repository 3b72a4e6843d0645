"""A rule before it is saved: what it would have changed in the last days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from anomalies import cases, thresholds, validation
from anomalies.evidence import Decision
from anomalies.models import Anomaly, ValidationRule, Verdict
from anomalies.querysets import AnomalyQuerySet
from anomalies.rejudging import Case, Rejudged, Rulebook, rejudge
from anomalies.rules import Rule
from sensors.models import Sensor

MOST = 300


@dataclass(frozen=True, slots=True)
class Line:
    """One anomaly that people would be told something else of."""

    anomaly: Anomaly
    before: Rejudged
    after: Rejudged

    @property
    def hides_a_confirmed_fault(self) -> bool:
        return (
            self.anomaly.verdict == Verdict.CONFIRMED
            and self.after.would_be.status is Decision.FALSE_POSITIVE
        )


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """looked_at: how many anomalies were judged again, the newest of `all`; moved: of how many the
    confidence would be another one; lines: those of which people would be told something else."""

    days: int
    all: int
    looked_at: int
    moved: int
    lines: tuple[Line, ...]

    @property
    def hidden_faults(self) -> int:
        return sum(line.hides_a_confirmed_fault for line in self.lines)


def rehearse(
    rule: ValidationRule, visible: AnomalyQuerySet, *, days: int, now: datetime
) -> Rehearsal:
    """Judge the anomalies of the last days with the rule and as things are without it.

    visible: those that the person may see. The rule need not be saved. Raises RuleError for one
    that cannot be applied.
    """
    rule.parsed()
    found = _concerned(rule, visible).filter(start__gte=now - timedelta(days=days))
    rows = list(found.select_related("sensor__site").order_by("-start", "-pk")[:MOST])
    sensors = {row.sensor_id: row.sensor for row in rows}
    known = thresholds.in_force()
    past = list(cases.past(rows, known))
    before = rejudge(past, rules_of=_rulebook(sensors, None), policies=known)
    after = rejudge(past, rules_of=_rulebook(sensors, rule), policies=known)
    pairs = [Line(*each) for each in zip(rows, before, after, strict=True)]
    return Rehearsal(
        days=days,
        all=found.count(),
        looked_at=len(rows),
        moved=sum(p.before.would_be.confidence != p.after.would_be.confidence for p in pairs),
        lines=tuple(p for p in pairs if p.before.would_be.status != p.after.would_be.status),
    )


def _concerned(rule: ValidationRule, visible: AnomalyQuerySet) -> AnomalyQuerySet:
    rows = visible.standing().exclude(decision="")
    if rule.site_id is not None:
        rows = rows.filter(sensor__site=rule.site_id)
    return rows.filter(sensor__kind=rule.kind) if rule.kind else rows


def _rulebook(sensors: dict[int, Sensor], rule: ValidationRule | None) -> Rulebook:
    """What is in force, with `rule` as it is about to be saved. A row gone bad is found when a case
    is judged, as it would be live."""
    known: dict[int, tuple[Rule, ...]] = {}

    def rules_of(case: Case) -> tuple[Rule, ...]:
        if case.sensor not in known:
            rows = validation.rule_rows_for(sensors[case.sensor], unsaved=rule)
            known[case.sensor] = validation.in_force(rows)
        return known[case.sensor]

    return rules_of

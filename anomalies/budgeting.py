"""Alert budgets from stored anomalies; what is applied is a calibration, audited and reversible."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Max

from anomalies import budget, thresholds
from anomalies.budget import Budget, Counted
from anomalies.episodes import placing
from anomalies.episodes.policy import EpisodePolicies
from anomalies.models import Anomaly, Calibration, Nature, Verdict
from anomalies.policy import Policies, ValidationPolicy
from sensors.models import Sensor, Site


@dataclass(frozen=True, slots=True)
class Proposed:
    """A budget for the anomalies of a kind of sensor at a site. policy: in force now."""

    site: Site
    kind: str
    policy: ValidationPolicy
    budget: Budget

    @property
    def moves(self) -> bool:
        after = self.budget.after
        return after is not None and after.threshold > self.budget.before.threshold

    @property
    def is_dear(self) -> bool:
        """Whether nobody would be told any more of a fault that people confirmed."""
        after = self.budget.after
        return after is not None and after.missed > self.budget.before.missed


class NotApplied(ValueError):
    """A budget that cannot be applied, with the reason."""


def propose_each(
    site: Site, kind: str = "", *, per_week: float, weeks: float, now: datetime
) -> list[Proposed]:
    """`propose` for each kind of the site by itself, or for one; by the last `weeks`."""
    span: dict[str, Any] = {"since": now - timedelta(weeks=weeks), "until": now}
    kinds = [kind] if kind else kinds_of(site)
    return [propose(site, each, per_week=per_week, **span) for each in kinds]


def kinds_of(site: Site) -> list[str]:
    rows = Sensor.objects.scored().filter(site=site).order_by("kind")
    return list(rows.values_list("kind", flat=True).distinct())


def propose(
    site: Site, kind: str, *, per_week: float, since: datetime, until: datetime
) -> Proposed:
    """What the kind's threshold would have to be for `per_week` episodes of machines at the site.

    Other kinds keep theirs, and their episodes count in it. Raises LookupError for a kind that the
    site has no sensor of.
    """
    example = Sensor.objects.scored().filter(site=site, kind=kind).order_by("pk").first()
    if example is None:
        raise LookupError(f"{site} has no sensor of the kind {kind!r}.")
    policies, episodes = thresholds.in_force(), placing.policies()
    policy = policies.of(sensor_id=example.pk, kind=kind)
    found = budget.propose(
        [_counted(row, kind, policies, episodes) for row in _anomalies(site, since, until)],
        threshold=policy.false_positive_threshold,
        allowed_per_week=per_week,
        length=until - since,
        rejoin=timedelta(seconds=episodes.of(kind).rejoin_s),
    )
    return Proposed(site, kind, policy, found)


def apply(
    found: Proposed, *, person: User | None, now: datetime, accept_missed: bool = False
) -> Calibration:
    """Later anomalies of the kind are judged by it; `recalibrate --revert` takes it back.

    Raises NotApplied where no threshold meets the budget, the one in force does, or a confirmed
    fault would be missed and that is not accepted.
    """
    after = found.budget.after
    if after is None:
        raise NotApplied("no threshold meets the budget")
    if not found.moves:
        raise NotApplied("the threshold in force meets the budget")
    if found.is_dear and not accept_missed:
        raise NotApplied("it misses a confirmed fault")
    reviewed = Anomaly.objects.filter(sensor__site=found.site, sensor__kind=found.kind)
    newest = reviewed.aggregate(newest=Max("reviewed_at"))["newest"]
    return Calibration.objects.create(
        site=found.site,
        kind=found.kind,
        false_positive_threshold=after.threshold,
        credible_threshold=max(found.policy.credible_threshold, after.threshold),
        before={
            "false_positive": found.policy.false_positive_threshold,
            "credible": found.policy.credible_threshold,
        },
        report={
            "budget_per_week": found.budget.allowed_per_week,
            "before": asdict(found.budget.before),
            "after": asdict(after),
        },
        newest_verdict_at=newest or now,
        made_by=person,
        made_at=now,
    )


def _anomalies(site: Site, since: datetime, until: datetime) -> list[Anomaly]:
    """Judged ones of machines. Those hidden by a window told nobody."""
    rows = Anomaly.objects.standing().filter(
        sensor__site=site,
        nature=Nature.MACHINE,
        start__range=(since, until),
        confidence__isnull=False,
    )
    rows = rows.exclude(hidden_by__surfaced_at__isnull=True, hidden_by__isnull=False)
    return list(rows.select_related("sensor__asset").order_by("start", "pk"))


def _counted(row: Anomaly, kind: str, policies: Policies, episodes: EpisodePolicies) -> Counted:
    sensor = row.sensor
    rule = episodes.of(sensor.kind)
    policy = policies.of(sensor_id=sensor.pk, kind=sensor.kind)
    strong = row.score >= rule.exit_score
    confidence = (row.confidence or 0.0) if strong else -1.0
    return Counted(
        subject=str(sensor.asset or sensor),
        start=row.start,
        end=row.end,
        confidence=confidence,
        opens=row.score >= rule.enter_score and row.readings >= rule.enter_readings,
        in_scope=sensor.kind == kind and strong,
        counts=confidence >= policy.false_positive_threshold,
        is_confirmed=row.verdict == Verdict.CONFIRMED,
    )

"""How often the validation agent and people say the same, and how it spent its last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, OuterRef, Subquery
from django.db.models.aggregates import Aggregate
from django.db.models.fields import FloatField

from anomalies import profiles
from anomalies.models import Decision, Validation, Verdict
from anomalies.querysets import AnomalyQuerySet

VERDICT_DAYS = 90
DAY = timedelta(days=1)
# What is published as further investigation agrees and disagrees with nobody.
SAME = frozenset({
    (Decision.CREDIBLE.value, Verdict.CONFIRMED.value),
    (Decision.FALSE_POSITIVE.value, Verdict.FALSE_POSITIVE.value),
})  # fmt: skip
OPPOSED = frozenset({
    (Decision.CREDIBLE.value, Verdict.FALSE_POSITIVE.value),
    (Decision.FALSE_POSITIVE.value, Verdict.CONFIRMED.value),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Agreement:
    """counts: (decision, verdict) to how many of the last 90 days' verdicts."""

    counts: dict[tuple[str, str], int]

    @property
    def verdicts(self) -> int:
        return sum(self.counts.values())

    @property
    def same(self) -> int:
        return sum(n for pair, n in self.counts.items() if pair in SAME)

    @property
    def opposed(self) -> int:
        return sum(n for pair, n in self.counts.items() if pair in OPPOSED)

    @property
    def share(self) -> float | None:
        """0..1 of what the agent decided either way; None where it decided nothing."""
        decided = self.same + self.opposed
        return self.same / decided if decided else None


def agreement(*, now: datetime, visible: AnomalyQuerySet | None = None) -> Agreement:
    """What was decided before each verdict, beside the verdict. visible: of these alone."""
    rows = profiles.reviewed().filter(reviewed_at__gt=now - VERDICT_DAYS * DAY)
    if visible is not None:
        rows = rows.filter(pk__in=visible.values("pk"))
    judged = Validation.objects.filter(
        anomaly=OuterRef("pk"), validated_at__lte=OuterRef("reviewed_at")
    ).order_by("-validated_at", "-id")
    found = rows.order_by().annotate(then=Subquery(judged.values("decision")[:1]))
    counted = found.exclude(then=None).values_list("then", "verdict").annotate(Count("id"))
    return Agreement({(decision, verdict): n for decision, verdict, n in counted})


class _Percentile(Aggregate):
    """Of a number that is there; PostgreSQL's ordered-set aggregate."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True, slots=True)
class LastDay:
    """decisions: how many of each; median_ms, slow_ms: of them, half and 95 % took less."""

    decisions: dict[str, int]
    median_ms: float
    slow_ms: float


def last_day(*, now: datetime) -> LastDay:
    rows = Validation.objects.order_by().filter(validated_at__gt=now - DAY)
    counted = dict(rows.values_list("decision").annotate(Count("id")))
    took = rows.aggregate(
        median=_Percentile("took_ms", share=0.5), slow=_Percentile("took_ms", share=0.95)
    )
    return LastDay(
        {name: counted.get(name, 0) for name in Decision.values},
        took["median"] or 0.0,
        took["slow"] or 0.0,
    )

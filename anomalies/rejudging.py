"""Stored anomalies judged again under other rules or thresholds: what would have been said. Pure.

For a preview before a rule is saved, for a replay, for calibration. Each case carries what its
first judgement was made from, so that nothing that was learnt later is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from anomalies.credibility import Posterior
from anomalies.evidence import Decision, Evidence, JudgementError
from anomalies.history import History
from anomalies.judgement import Judgement, failed, judge
from anomalies.policy import Policies
from anomalies.precedents import Precedent
from anomalies.rules import Rule


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision as it is stored; empty for an anomaly that was not judged yet."""

    decision: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A stored anomaly with all that it was judged by. verdict: of a person; empty without one."""

    anomaly: int
    sensor: int
    kind: str
    site: int
    start: datetime
    evidence: Evidence
    history: History
    posterior: Posterior
    precedents: tuple[Precedent, ...]
    was: Outcome
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A case with what would have been decided."""

    case: Case
    would_be: Judgement

    @property
    def changes(self) -> bool:
        """Whether people would have been told something else."""
        return bool(self.case.was.decision) and (
            Decision(self.case.was.decision).status is not self.would_be.status
        )


Rulebook = Callable[[Case], Sequence[Rule]]


def rejudge(cases: Iterable[Case], *, rules_of: Rulebook, policies: Policies) -> list[Rejudged]:
    """Judge the cases by these rules and policies, in their order.

    What cannot be judged is `validation_error` with its reason, as when it is judged live.
    """
    return [Rejudged(case, _judge(case, rules_of, policies)) for case in cases]


def _judge(case: Case, rules_of: Rulebook, policies: Policies) -> Judgement:
    policy = policies.of(sensor_id=case.sensor, kind=case.kind)
    try:
        return judge(
            case.evidence, case.history, rules_of(case), case.posterior, policy, case.precedents
        )
    except JudgementError as error:
        return failed(error)

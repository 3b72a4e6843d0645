"""Is this anomaly credible? Confidence as a sum of terms, and the decision it leads to. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from anomalies import history as past
from anomalies import precedents as likes
from anomalies.credibility import Posterior
from anomalies.evidence import Decision, Evidence, JudgementError, Term
from anomalies.history import History
from anomalies.policy import ValidationPolicy
from anomalies.precedents import Precedent
from anomalies.rules import Rule, facts_of

__all__ = ["Judgement", "Posterior", "detector_confidence", "failed", "judge"]

# Terms are stored to so many decimals: a sum that is 0.7 on paper then is 0.7 at the threshold.
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Judgement:
    """confidence: 0..1, the sum of the terms' values."""

    decision: Decision
    confidence: float
    terms: tuple[Term, ...]

    @property
    def status(self) -> Decision:
        return self.decision.status


def detector_confidence(score: float, half_life: float = 1.0) -> float:
    """How much a score alone is to be believed: 0..1, strictly rising.

    A score is L/(L+L0) with L the rarity (−log10 of the tail probability) and L0 the alarm level,
    so score/(1−score) counts alarm levels. The doubt halves with every `half_life` of them: at the
    alarm level half is left (0.5), at twice its rarity a quarter (0.75), at three times 0.875.

    >>> [round(detector_confidence(score), 3) for score in (0.0, 0.5, 2 / 3, 0.75, 1.0)]
    [0.0, 0.5, 0.75, 0.875, 1.0]
    """
    if score >= 1.0:
        return 1.0
    levels = score / (1.0 - score)
    return 1.0 - math.pow(0.5, levels / half_life)


def judge(
    evidence: Evidence,
    history: History,
    rules: Iterable[Rule],
    posterior: Posterior,
    policy: ValidationPolicy,
    precedents: Iterable[Precedent] = (),
) -> Judgement:
    """The decision, its confidence and every term of it.

    A forced decision outranks the rest, the first rule that forces one counts. A history shorter
    than `policy.min_history` is insufficient, except for a limit, which needs none. What went much
    farther than all that was refuted of the sensor is not held back by refutations.
    """
    known = tuple(precedents)
    least = 0.0 if likes.is_beyond(known, evidence) else -1.0
    detected = _detector(evidence, policy)
    facts = facts_of(evidence, history, confidence=detected.value)
    applied = [rule for rule in rules if rule.holds(facts)]
    by_itself = (
        detected,
        *(rule.term for rule in applied),
        *past.terms(history, evidence, policy),
        *posterior.term(policy, least=least),
    )
    told = likes.terms(known, evidence, policy, without=_sum(by_itself))
    terms = _summing_to_a_confidence((*by_itself, *told))
    confidence = _sum(terms)
    forced = next((rule.forced_decision for rule in applied if rule.forced_decision), None)
    if forced is not None:
        return Judgement(forced, confidence, terms)
    if len(history) < policy.min_history and not evidence.is_limit_breach:
        return Judgement(Decision.INSUFFICIENT, confidence, terms)
    return Judgement(_by_threshold(confidence, policy), confidence, terms)


def failed(error: Exception) -> Judgement:
    """The judgement when judging failed: nothing is believed or disbelieved, the reason is kept."""
    kind = "cannot_judge" if isinstance(error, JudgementError) else type(error).__name__
    return Judgement(Decision.ERROR, 0.0, (Term("error", kind, 0.0, str(error)[:1000]),))


def _detector(evidence: Evidence, policy: ValidationPolicy) -> Term:
    if evidence.is_limit_breach:
        return Term("detector", evidence.detector, 1.0, "a limit was breached, which is certain")
    levels = "beyond" if evidence.score >= 0.5 else "below"
    reason = f"score {evidence.score:.3f}, {levels} the alarm level of 0.5"
    value = detector_confidence(evidence.score, policy.doubt_half_life)
    return Term("detector", evidence.detector, value, reason)


def _summing_to_a_confidence(terms: Iterable[Term]) -> tuple[Term, ...]:
    """The terms, rounded, and where their sum leaves 0..1 the one that brings it back."""
    rounded = tuple(
        Term(term.source, term.name, round(term.value, DECIMALS), term.reason) for term in terms
    )
    total = _sum(rounded)
    bounded = min(max(total, 0.0), 1.0)
    if bounded == total:
        return rounded
    back = Term("clamp", "clamp", round(bounded - total, DECIMALS), "a confidence lies in 0 to 1")
    return (*rounded, back)


def _sum(terms: Iterable[Term]) -> float:
    return round(math.fsum(term.value for term in terms), DECIMALS)


def _by_threshold(confidence: float, policy: ValidationPolicy) -> Decision:
    if confidence >= policy.credible_threshold:
        return Decision.CREDIBLE
    if confidence < policy.false_positive_threshold:
        return Decision.FALSE_POSITIVE
    return Decision.INVESTIGATE

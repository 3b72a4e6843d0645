"""The decision and its confidence, from values alone."""

from math import fsum, inf, nan
from typing import Any

import numpy as np
import pytest

from anomalies import judgement, models
from anomalies.evidence import Decision, Evidence, EvidenceError, JudgementError
from anomalies.history import History
from anomalies.judgement import Judgement, Posterior, detector_confidence, judge
from anomalies.policy import ValidationPolicy
from anomalies.precedents import Look, Precedent
from anomalies.rules import DEFAULTS, Rule, parse

POLICY = ValidationPolicy()
# Neither a jump nor volatile nor alike: the value 53 lies 3 deviations off, 8 of 20 readings up.
QUIET = History(50 + np.tile([-1.0, 1.0, -1.0, 1.0, 0.0], 4), np.ones(20))


def evidence(**values: Any) -> Evidence:
    neutral: dict[str, Any] = {
        "kind": "vibration", "nature": "machine", "rung": "champion", "detector": "forest",
        "score": 0.5, "severity": 3, "value": 53.0, "readings": 2, "duration_s": 60.0,
        "quality": 1.0, "expected_low": 48.0, "expected_high": 52.0,
    }  # fmt: skip
    return Evidence(**{**neutral, **values})


def judged(
    given: Evidence | None = None,
    history: History = QUIET,
    rules: tuple[Rule, ...] = (),
    posterior: Posterior = Posterior(),  # noqa: B008  frozen
    policy: ValidationPolicy = POLICY,
) -> Judgement:
    return judge(given or evidence(), history, rules, posterior, policy)


def adjusting(by: float) -> tuple[Rule, ...]:
    return (parse(name="by hand", conditions=[], adjustment=by),)


def names(found: Judgement) -> list[str]:
    return [term.name for term in found.terms]


def test_the_words_are_those_of_the_tables() -> None:
    assert [d.value for d in Decision] == models.Decision.values
    assert sorted({d.status.value for d in Decision}) == sorted(models.PublishedStatus.values)


def test_what_is_insufficient_or_failed_is_published_as_further_investigation() -> None:
    assert Decision.INSUFFICIENT.status is Decision.INVESTIGATE
    assert Decision.ERROR.status is Decision.INVESTIGATE


def test_a_score_at_the_alarm_level_is_half_believed_and_further_investigated() -> None:
    found = judged()
    assert (found.confidence, found.decision) == (0.5, Decision.INVESTIGATE)
    assert names(found) == ["forest"]


def test_the_confidence_in_a_score_rises_strictly_with_its_rarity() -> None:
    confidences = [detector_confidence(score) for score in np.linspace(0, 0.95, 200)]
    assert np.all(np.diff(confidences) > 0)
    assert detector_confidence(0) == 0.0
    assert detector_confidence(1) == 1.0


def test_a_score_twice_as_rare_as_the_alarm_level_is_credible_on_its_own() -> None:
    assert judged(evidence(score=2 / 3)).decision is Decision.CREDIBLE


def test_a_breached_limit_is_certain_and_needs_no_history() -> None:
    found = judged(evidence(rung="limits", score=0.5), history=History(np.empty(0), np.empty(0)))
    assert (found.confidence, found.decision) == (1.0, Decision.CREDIBLE)


# --- boundaries -----------------------------------------------------------------------------------


def test_a_confidence_of_exactly_0_7_is_credible() -> None:
    found = judged(rules=adjusting(0.2))
    assert (found.confidence, found.decision) == (0.7, Decision.CREDIBLE)


def test_a_confidence_of_0_7_on_paper_is_credible_whatever_the_float_sum_says() -> None:
    rules = tuple(parse(name=str(i), conditions=[], adjustment=a) for i, a in enumerate([0.1] * 2))
    third = parse(name="third", conditions=[], adjustment=-0.3)
    back = parse(name="back", conditions=[], adjustment=0.3)
    assert judged(rules=(third, *rules, back)).decision is Decision.CREDIBLE


def test_a_confidence_just_below_0_7_is_further_investigated() -> None:
    assert judged(rules=adjusting(0.1999)).decision is Decision.INVESTIGATE


def test_a_confidence_of_exactly_0_4_is_further_investigated() -> None:
    found = judged(rules=adjusting(-0.1))
    assert (found.confidence, found.decision) == (0.4, Decision.INVESTIGATE)


def test_a_confidence_just_below_0_4_is_a_suspected_false_positive() -> None:
    assert judged(rules=adjusting(-0.1001)).decision is Decision.FALSE_POSITIVE


def test_four_readings_of_history_are_insufficient() -> None:
    found = judged(evidence(score=0.9), history=History(QUIET.values[:4], QUIET.quality[:4]))
    assert found.decision is Decision.INSUFFICIENT
    assert "too_short" in names(found)


def test_five_readings_of_history_are_enough() -> None:
    found = judged(evidence(score=0.9), history=History(QUIET.values[:5], QUIET.quality[:5]))
    assert found.decision is Decision.CREDIBLE


# --- terms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [0.0, 0.31, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("by", [-1.0, -0.123456789, 0.0, 0.3, 1.0])
def test_the_terms_add_up_to_the_confidence_and_it_lies_in_0_to_1(score: float, by: float) -> None:
    found = judged(evidence(score=score), rules=(*adjusting(by), *DEFAULTS), posterior=Posterior(3))
    assert fsum(term.value for term in found.terms) == pytest.approx(found.confidence, abs=1e-9)
    assert 0 <= found.confidence <= 1


def test_the_clamp_is_a_term_of_its_own_with_its_reason() -> None:
    clamp = judged(evidence(score=0.9), rules=adjusting(1.0)).terms[-1]
    assert (clamp.source, clamp.reason) == ("clamp", "a confidence lies in 0 to 1")
    assert clamp.value < 0


def test_every_term_says_why() -> None:
    found = judged(evidence(score=0.9, value=80), rules=adjusting(0.5), posterior=Posterior(1, 4))
    assert {t.source for t in found.terms} == {"detector", "rules", "history", "profile", "clamp"}
    assert all(term.reason for term in found.terms)


def test_a_forced_decision_outranks_threshold_and_short_history() -> None:
    ignore = parse(name="ignore", conditions=[], forced_decision="false_positive_suspected")
    found = judged(evidence(score=0.99), history=History(np.empty(0), np.empty(0)), rules=(ignore,))
    assert found.decision is Decision.FALSE_POSITIVE
    assert "forces false_positive_suspected" in found.terms[1].reason


def test_of_two_rules_that_force_the_first_counts() -> None:
    first = parse(name="first", conditions=[], forced_decision="credible_anomaly")
    second = parse(name="second", conditions=[], forced_decision="false_positive_suspected")
    assert judged(rules=(first, second)).decision is Decision.CREDIBLE


def test_a_single_marginal_reading_inside_the_band_is_a_suspected_false_positive() -> None:
    found = judged(evidence(value=51, readings=1, score=0.51), rules=DEFAULTS)
    assert found.decision is Decision.FALSE_POSITIVE


def test_a_far_jump_out_of_a_stable_history_is_credible() -> None:
    assert judged(evidence(value=80, score=0.65), rules=DEFAULTS).decision is Decision.CREDIBLE


# --- what people said -----------------------------------------------------------------------------


def test_without_verdicts_the_profile_adds_nothing() -> None:
    assert not [term for term in judged().terms if term.source == "profile"]


def test_every_confirmation_raises_and_every_refutation_lowers_the_confidence() -> None:
    for confirmed in range(6):
        for refuted in range(6):
            now = judged(posterior=Posterior(confirmed, refuted)).confidence
            assert judged(posterior=Posterior(confirmed + 1, refuted)).confidence > now
            assert judged(posterior=Posterior(confirmed, refuted + 1)).confidence < now


def test_as_many_confirmations_as_refutations_cancel_out() -> None:
    assert judged(posterior=Posterior(7, 7)).confidence == judged().confidence


def test_verdicts_alone_never_make_a_false_alarm_of_a_breached_limit() -> None:
    found = judged(evidence(rung="limits"), posterior=Posterior(0, 1_000_000))
    assert found.decision is Decision.INVESTIGATE


# --- what cannot be judged ------------------------------------------------------------------------


@pytest.mark.parametrize("number", [nan, inf, -inf])
@pytest.mark.parametrize("name", ["score", "value"])
def test_evidence_that_is_no_finite_number_is_refused(name: str, number: float) -> None:
    with pytest.raises(EvidenceError, match=name):
        evidence(**{name: number})


def test_a_failed_judgement_keeps_its_reason_and_believes_nothing() -> None:
    found = judgement.failed(JudgementError("rule 7 is broken"))
    assert (found.decision, found.confidence) == (Decision.ERROR, 0.0)
    assert [(term.source, term.reason) for term in found.terms] == [("error", "rule 7 is broken")]


def test_refutations_hold_nothing_back_that_goes_much_farther_than_what_was_refuted() -> None:
    door = Look((("z", 1.0),), 1, 2.0, 60.0, 12.0)
    for value, is_beyond in ((55.0, False), (65.0, True)):  # 2.5 and 7.5 half-widths of the band
        found = evidence(score=0.9, value=value, shares=door.shares, hour=12.0)
        bare = judge(found, QUIET, (), Posterior(), POLICY)
        said = [Precedent(n, False, 0.0, door) for n in range(40)]
        told = judge(found, QUIET, (), Posterior(1.0, 40.0), POLICY, said)
        assert (told.confidence == bare.confidence) is is_beyond
        assert (told.decision is Decision.CREDIBLE) is is_beyond
        assert fsum(term.value for term in told.terms) == pytest.approx(told.confidence)

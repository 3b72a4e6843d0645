"""The rule engine: what a rule may say, when it holds, and which rules are in force."""

from typing import Any

import numpy as np
import pytest

from anomalies.evidence import Decision, Evidence
from anomalies.history import History
from anomalies.rules import DEFAULTS, NUMBERS, TEXTS, RuleError, facts_of, merge, parse

HISTORY = History(np.array([40.0, 60.0]), np.array([1.0, 0.5]))
NO_HISTORY = History(np.empty(0), np.empty(0))


def evidence(**values: Any) -> Evidence:
    return Evidence(
        **{
            "kind": "vibration", "nature": "machine", "rung": "champion", "detector": "forest",
            "score": 0.6, "severity": 3, "value": 80.0, "readings": 3, "duration_s": 120.0,
            "quality": 0.9, "expected_low": 40.0, "expected_high": 60.0, **values,
        }
    )  # fmt: skip


def holds(field: str, op: str, value: object, *, history: History = HISTORY, **known: Any) -> bool:
    rule = parse(name="r", conditions=[{"field": field, "op": op, "value": value}])
    return rule.holds(facts_of(evidence(**known), history, confidence=0.5))


def test_every_field_that_can_be_asked_for_has_a_fact() -> None:
    assert set(facts_of(evidence(), HISTORY, confidence=0.5)) == {*NUMBERS, *TEXTS}


def test_the_differences_are_to_the_mean_of_the_history() -> None:
    facts = facts_of(evidence(value=20), HISTORY, confidence=0.5)
    assert facts["value_delta"] == -30
    assert facts["value_delta_abs"] == 30
    assert facts["value_delta_pct"] == 60
    assert facts["band_excess"] == 20
    assert facts["history_quality"] == 0.75


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("score", ">", 0.6, False),
        ("score", ">=", 0.6, True),
        ("score", "<", 0.7, True),
        ("score", "<=", 0.5, False),
        ("severity", "==", 3, True),
        ("severity", "!=", 3, False),
        ("severity", "in", [1, 3], True),
        ("readings", "not in", [3], False),
        ("kind", "==", "vibration", True),
        ("kind", "in", ["flow", "level"], False),
        ("nature", "!=", "instrument", True),
        ("rung", "not in", ["limits"], True),
        ("duration_s", ">=", 120, True),
        ("quality", "<", 0.5, False),
        ("value_delta_pct", ">", 50, True),
        ("history_readings", "<", 5, True),
        ("detector", "==", "forest", True),
    ],
)
def test_an_operator_compares_as_it_reads(
    field: str, op: str, value: object, expected: bool
) -> None:
    assert holds(field, op, value) is expected


@pytest.mark.parametrize("op", ["<", ">=", "==", "!="])
def test_a_condition_on_something_unknown_does_not_hold(op: str) -> None:
    assert not holds("value_delta", op, 0, history=NO_HISTORY)
    assert not holds("quality", op, 0.5, quality=None)
    assert not holds("band_excess", op, 0, expected_low=None)


def test_a_difference_in_per_cent_of_zero_is_unknown() -> None:
    around_zero = History(np.array([-1.0, 1.0]), np.ones(2))
    assert facts_of(evidence(), around_zero, confidence=0.5)["value_delta_pct"] is None


def test_all_conditions_must_hold() -> None:
    rare = {"field": "score", "op": ">", "value": 0.5}
    other = {"field": "kind", "op": "==", "value": "flow"}
    facts = facts_of(evidence(), HISTORY, confidence=0.5)
    assert parse(name="r", conditions=[rare]).holds(facts)
    assert not parse(name="r", conditions=[rare, other]).holds(facts)


def test_a_rule_without_conditions_always_holds() -> None:
    assert parse(name="r", conditions=[]).holds(facts_of(evidence(), NO_HISTORY, confidence=0.5))


GOOD = {"field": "score", "op": ">", "value": 0.5}


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"field": "score"}, "a list"),
        (None, "a list"),
        ("score > 0.5", "a list"),
        (["score > 0.5"], "condition 1: needs exactly field, op and value"),
        ([GOOD, {**GOOD, "vlaue": 1}], "condition 2: needs exactly"),
        ([{**GOOD, "field": "colour"}], "unknown field 'colour'; known: score"),
        ([{**GOOD, "field": ["score"]}], "unknown field"),
        ([{**GOOD, "op": "=>"}], "not '=>'"),
        ([{**GOOD, "op": ["<"]}], "knows"),
        ([{**GOOD, "value": "high"}], "a finite number, not 'high'"),
        ([{**GOOD, "value": True}], "a finite number, not True"),
        ([{**GOOD, "value": float("nan")}], "a finite number"),
        ([{**GOOD, "op": "in", "value": 0.5}], "a list of values"),
        ([{**GOOD, "op": "in", "value": []}], "a list of values"),
        ([{"field": "kind", "op": "<", "value": "flow"}], "kind knows"),
        ([{"field": "kind", "op": "==", "value": 7}], "a text, not 7"),
        ([{"field": "kind", "op": "in", "value": ["flow", None]}], "a text, not None"),
    ],
)
def test_a_bad_condition_is_refused_with_its_place_and_reason(
    conditions: object, message: str
) -> None:
    with pytest.raises(RuleError, match=message):
        parse(name="r", conditions=conditions)


@pytest.mark.parametrize("adjustment", [1.01, -1.01, float("nan"), True, "0.1"])
def test_an_adjustment_beyond_one_or_no_number_is_refused(adjustment: Any) -> None:
    with pytest.raises(RuleError, match="adjustment"):
        parse(name="r", conditions=[], adjustment=adjustment)


@pytest.mark.parametrize("decision", ["validation_error", "insufficient_data", "nonsense"])
def test_a_rule_forces_published_decisions_only(decision: str) -> None:
    with pytest.raises(RuleError, match="cannot force"):
        parse(name="r", conditions=[], forced_decision=decision)


def test_a_forced_decision_is_parsed() -> None:
    rule = parse(name="r", conditions=[], forced_decision="credible_anomaly")
    assert rule.forced_decision is Decision.CREDIBLE


def test_the_defaults_are_rules_that_a_person_could_have_written() -> None:
    for rule in DEFAULTS:
        asked = [
            {"field": c.field, "op": c.op, "value": c.value} for c in rule.conditions
        ]  # fmt: skip
        assert parse(name=rule.name, conditions=asked, adjustment=rule.adjustment) == rule


def test_a_rule_of_ones_own_replaces_the_default_of_its_name() -> None:
    own = parse(name=DEFAULTS[0].name, conditions=[], adjustment=0.3)
    assert merge(DEFAULTS, [(own.name, own)]) == (*DEFAULTS[1:], own)


def test_switching_a_default_off_leaves_the_others() -> None:
    assert merge(DEFAULTS, [(DEFAULTS[0].name, None)]) == DEFAULTS[1:]


def test_of_two_own_rules_of_one_name_the_later_counts() -> None:
    first, second = (parse(name="mine", conditions=[], adjustment=a) for a in (0.1, 0.2))
    assert merge((), [("mine", first), ("mine", second)]) == (second,)


# --- the newer facts ------------------------------------------------------------------------------


def test_a_condition_on_the_detectors_confidence_holds_at_its_boundary() -> None:
    rule = parse(name="r", conditions=[{"field": "confidence", "op": ">=", "value": 0.7}])
    for confidence, is_held in ((0.7, True), (0.6999, False)):
        facts = facts_of(evidence(), HISTORY, confidence=confidence)
        assert rule.holds(facts) == is_held


def test_a_condition_on_the_time_of_day_is_in_the_sites_hours() -> None:
    night = [
        {"field": "hour", "op": ">=", "value": 5.5},
        {"field": "hour", "op": "<", "value": 6.5},
    ]
    rule = parse(name="r", conditions=night)
    for hour, is_held in ((5.5, True), (6.49, True), (6.5, False), (None, False)):
        facts = facts_of(evidence(hour=hour), HISTORY, confidence=0.5)
        assert rule.holds(facts) == is_held


def test_a_condition_on_the_state_of_the_machine() -> None:
    assert holds("asset_state", "==", "starting", asset_state="starting")
    assert not holds("asset_state", "in", ["off", "starting"], asset_state="running")


def test_a_condition_on_the_slope_of_an_unknown_course_does_not_hold() -> None:
    rising = History(np.array([1.0, 3.0]), np.ones(2), np.array([0.0, 1.0]))
    assert holds("value_slope", ">=", 2.0, history=rising)
    assert not holds("value_slope", ">", 2.0, history=rising)
    assert not holds("value_slope", "<", 1e9, history=HISTORY)

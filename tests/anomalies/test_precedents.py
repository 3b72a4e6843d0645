"""What people said of anomalies that looked like this one."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from anomalies.evidence import Evidence
from anomalies.policy import ValidationPolicy
from anomalies.precedents import Look, Precedent, likeness, terms

POLICY = ValidationPolicy()
DOOR = Look((("z", 0.7), ("spike", 0.3)), -1, 2.0, 900.0, 6.0)


def evidence(**values: Any) -> Evidence:
    return Evidence(
        **{
            "kind": "temperature", "nature": "machine", "rung": "local", "detector": "local",
            "score": 0.7, "severity": 3, "value": 20.0, "readings": 3, "duration_s": 900.0,
            "expected_low": 30.0, "expected_high": 50.0, "hour": 6.0,
            "shares": (("z", 0.7), ("spike", 0.3)), **values,
        }
    )  # fmt: skip


def said(given: Evidence, *precedents: Precedent) -> float:
    return sum(term.value for term in terms(precedents, given, POLICY))


def refuted(look: Look = DOOR, age: float = 0.0) -> Precedent:
    return Precedent(False, age, look)


def test_an_anomaly_looks_like_itself_and_likeness_is_mutual() -> None:
    looks = [DOOR, replace(DOOR, hour=23.5), replace(DOOR, size=9.0), replace(DOOR, side=0)]
    for one, other in product(looks, looks):
        assert likeness(one, other) == pytest.approx(likeness(other, one))
        assert likeness(one, one) == pytest.approx(1.0)


def test_midnight_is_no_edge_of_the_day() -> None:
    late, early = replace(DOOR, hour=23.75), replace(DOOR, hour=0.25)
    assert likeness(late, early) > 0.95


def test_the_other_side_of_the_band_looks_like_nothing_before() -> None:
    assert said(evidence(value=60.0), *[refuted()] * 20) == 0.0


def test_a_look_is_read_off_the_evidence() -> None:
    assert Look.of(evidence()) == DOOR


def test_what_was_refuted_lowers_what_looks_like_it_and_more_each_time() -> None:
    once, thrice = said(evidence(), refuted()), said(evidence(), *[refuted()] * 3)
    assert thrice < once < 0
    assert thrice >= -POLICY.precedent_weight


def test_what_was_confirmed_raises_what_looks_like_it() -> None:
    assert said(evidence(), Precedent(True, 0.0, DOOR)) > 0


def test_a_fault_that_moves_other_features_is_not_held_against_the_door() -> None:
    fault = evidence(shares=(("slope", 0.9), ("level", 0.1)))
    assert said(fault, *[refuted()] * 20) == 0.0


def test_a_fault_far_larger_than_the_nuisance_is_hardly_held_against_it() -> None:
    usual, far = said(evidence(), *[refuted()] * 3), said(evidence(value=-150), *[refuted()] * 3)
    assert usual < -0.3
    assert far > -0.1


def test_old_verdicts_fade() -> None:
    assert said(evidence(), refuted(age=360.0)) > said(evidence(), refuted())


def test_a_breached_limit_is_never_held_against_its_likes() -> None:
    assert said(evidence(rung="limits"), *[refuted()] * 50) == 0.0


def test_nothing_alike_says_nothing() -> None:
    assert list(terms([], evidence(), POLICY)) == []

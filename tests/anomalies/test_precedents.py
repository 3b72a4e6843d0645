"""What people said of anomalies that looked like this one."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from anomalies.evidence import Evidence
from anomalies.excursion import Excursion
from anomalies.policy import ValidationPolicy
from anomalies.precedents import Look, Precedent, is_beyond, likeness, terms

POLICY = ValidationPolicy()
WITHOUT = 0.9  # the confidence that all else gives
DOOR = Look((("z", 0.7), ("spike", 0.3)), -1, 2.0, 900.0, 6.0)
OPENED = Excursion((-3.0, -1.8, -1.1, -0.7, -0.4, -0.2), 0.2)


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
    found = terms(precedents, given, POLICY, without=WITHOUT)
    return sum(term.value for term in found)


def refuted(look: Look = DOOR, age: float = 0.0) -> Precedent:
    return Precedent(1, False, age, look)


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
    assert Look.of(evidence(readings=1)) == DOOR


def test_what_was_refuted_lowers_what_looks_like_it_and_more_each_time() -> None:
    once, thrice = said(evidence(), refuted()), said(evidence(), *[refuted()] * 3)
    assert thrice < once < 0


def test_what_was_confirmed_raises_what_looks_like_it() -> None:
    assert said(evidence(), Precedent(2, True, 0.0, DOOR)) > 0


def test_a_fault_that_moves_other_features_is_not_held_against_the_door() -> None:
    fault = evidence(shares=(("slope", 0.9), ("level", 0.1)))
    assert said(fault, *[refuted()] * 20) == 0.0


def test_a_fault_far_larger_than_the_nuisance_is_hardly_held_against_it() -> None:
    usual, far = said(evidence(), *[refuted()] * 3), said(evidence(value=-150), *[refuted()] * 3)
    assert usual < -0.4
    assert far > -0.1


def test_old_verdicts_fade() -> None:
    assert said(evidence(), refuted(age=360.0)) > said(evidence(), refuted())


def test_a_breached_limit_is_never_held_against_its_likes() -> None:
    assert said(evidence(rung="limits"), *[refuted()] * 50) == 0.0


def test_nothing_alike_says_nothing() -> None:
    assert list(terms([], evidence(), POLICY, without=WITHOUT)) == []


def test_the_confidence_becomes_the_mean_of_the_posterior() -> None:
    precedents = [refuted(), refuted(), Precedent(2, True, 0.0, DOOR)]
    prior = POLICY.precedent_prior
    mean = (prior * WITHOUT + 1) / (prior + 3)
    assert WITHOUT + said(evidence(), *precedents) == pytest.approx(mean)


def test_the_reason_names_the_one_that_is_most_like_it() -> None:
    far = replace(DOOR, size=8.0)
    precedents = [Precedent(7, False, 0.0, far), Precedent(8, True, 0.0, DOOR), refuted(far)]
    [term] = terms(precedents, evidence(), POLICY, without=WITHOUT)
    assert term.reason.endswith("most like it is anomaly 8")


@pytest.mark.parametrize(("without", "bounded"), [(1.4, 1.0), (-0.3, 0.0)])
def test_what_lies_beyond_a_confidence_counts_as_its_end(without: float, bounded: float) -> None:
    [term] = terms([refuted()], evidence(), POLICY, without=without)
    prior = POLICY.precedent_prior
    assert without + term.value == pytest.approx(prior * bounded / (prior + 1))


def opened(by: Excursion = OPENED, **other: Any) -> Look:
    """The door seen by another detector, at another hour, for another time."""
    seen = {"shares": (("level", 1.0),), "duration_s": 60.0, "hour": 15.0, "size": 9.0, **other}
    return replace(DOOR, excursion=by, **seen)


def test_one_excursion_is_known_again_whatever_found_it_and_at_another_hour() -> None:
    said_of_doors = said(evidence(excursion=OPENED), *[refuted(opened())] * 10)
    assert WITHOUT + said_of_doors < POLICY.false_positive_threshold


@pytest.mark.parametrize(
    "fault",
    [
        Excursion((3.0, 1.8, 1.1, 0.7, 0.4, 0.2), 0.2),  # the other way
        Excursion((-3.0,) * 6, 0.2),  # it stays there
        Excursion((-24.0, -14.4, -8.8, -5.6, -3.2, -1.6), 0.2),  # eight times as large
        Excursion((-3.0, 2.5, -2.8, 2.9, -3.1, 2.6), 0.2),  # it swings
        Excursion((-0.3, -0.2, -0.4, -0.3, -0.5, -0.4), 0.2),  # nothing that shows
    ],
)
def test_a_fault_that_runs_another_course_is_as_credible_after_ten_refuted_doors(
    fault: Excursion,
) -> None:
    # Even if the detector says the same of it.
    same = opened(shares=DOOR.shares, duration_s=900.0, hour=6.0, size=2.0)
    after = WITHOUT + said(evidence(excursion=fault), *[refuted(same)] * 10)
    assert after >= POLICY.false_positive_threshold


def test_what_began_like_the_door_and_goes_on_is_credible_again() -> None:
    after = [
        WITHOUT + said(evidence(excursion=OPENED, readings=n), *[refuted(opened(readings=3))] * 4)
        for n in (1, 3, 6, 12, 24, 48)
    ]
    assert after[1] == min(after)
    assert max(after[:3]) < POLICY.false_positive_threshold
    assert after[2:] == sorted(after[2:])
    assert after[-1] > POLICY.credible_threshold


def test_without_an_excursion_on_both_sides_the_detector_s_words_are_compared() -> None:
    assert said(evidence(excursion=OPENED), refuted()) == said(evidence(), refuted())
    slow = Excursion((0.1,) * 6, 0.2)
    both = said(evidence(excursion=slow), refuted(replace(DOOR, excursion=slow)))
    assert both == said(evidence(), refuted())


def times(factor: float, rows: int = len(OPENED.moved)) -> Excursion:
    """As if the door had been so many times as wide open; its first readings."""
    return replace(OPENED, moved=tuple(factor * moved for moved in OPENED.moved[:rows]))


@pytest.mark.parametrize(("factor", "is_held_back"), [(1.0, True), (2.9, True), (3.1, False)])
def test_one_reading_that_runs_like_forty_doors_is_one_unless_it_goes_much_farther(
    factor: float, is_held_back: bool
) -> None:
    spike = evidence(excursion=times(factor, rows=1), readings=1)
    doors = [refuted(opened(times(size))) for size in (0.6, 0.8, 1.0)] + [refuted(opened())] * 37
    confidence = WITHOUT + said(spike, *doors)
    assert (confidence < POLICY.false_positive_threshold) is is_held_back
    if not is_held_back:
        assert confidence == WITHOUT
        assert said(spike, *doors, Precedent(2, True, 0.0, Look.of(spike))) > 0


def test_how_far_the_farthest_of_them_went_counts() -> None:
    spike = evidence(excursion=times(4.0, rows=1), readings=1)
    assert is_beyond([refuted(opened())] * 9, spike)
    assert not is_beyond([*[refuted(opened())] * 9, refuted(opened(times(2.0)))], spike)
    assert is_beyond([refuted(opened()), Precedent(2, True, 0.0, opened(times(2.0)))], spike)
    assert not is_beyond([], spike)


def test_what_does_not_show_is_beyond_nothing() -> None:
    still = Excursion((0.1, 0.3), 0.2)
    assert not is_beyond([refuted(opened(still))], evidence(excursion=still))
    assert not is_beyond([refuted(opened(still))], evidence(excursion=Excursion((2.0,), 0.2)))
    assert is_beyond([refuted(opened(still))], evidence(excursion=Excursion((2.5,), 0.2)))


def test_without_a_course_the_distance_from_the_band_tells() -> None:
    assert is_beyond([refuted()], evidence(value=-21.0))  # 6.1 half-widths, and 2 of the door
    assert not is_beyond([refuted()], evidence(value=-19.0))
    assert not is_beyond([refuted()], evidence(value=40.0))
    assert not is_beyond([refuted(replace(DOOR, side=0))], evidence(value=-500.0))

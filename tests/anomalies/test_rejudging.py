"""Stored anomalies judged again: as they were judged, and as they would have been."""

from datetime import timedelta

import pytest

from anomalies import cases, validation
from anomalies.models import Anomaly, ValidationRule, Verdict
from anomalies.policy import Policies, ValidationPolicy
from anomalies.rejudging import Case, Rejudged, rejudge
from anomalies.review import review
from anomalies.rules import DEFAULTS, Rule, parse
from sensors.models import Sensor
from tests.factories import NOW, make_anomaly, make_person, make_readings, make_sensor

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def judged(n: int = 6) -> Sensor:
    """A sensor with n anomalies, each judged and, every other one, refuted before the next."""
    sensor = make_sensor()
    make_readings(sensor, [50.0, 50.2, 49.8, 50.1, 49.9] * 8, until=NOW)
    person = make_person(sensor.site)
    for i in range(n):
        start, now = NOW + i * MINUTE, NOW + i * MINUTE
        anomaly = make_anomaly(sensor=sensor, start=start, score=0.5 + i * 0.05)
        validation.validate(anomaly=anomaly, policy=ValidationPolicy(), now=now)
        if i % 2:
            review(anomaly=anomaly, verdict=Verdict.FALSE_POSITIVE, note="", person=person, now=now)
    return sensor


def again(policies: Policies | None = None, *rules: Rule) -> list[Rejudged]:
    rows = Anomaly.objects.select_related("sensor__site").order_by("start")
    known = policies or Policies()
    found = cases.past(rows, known)
    return rejudge(found, rules_of=lambda _: (*DEFAULTS, *rules), policies=known)


def test_under_the_same_policy_everything_is_as_it_was_whatever_was_said_since() -> None:
    judged()
    for one in again():
        assert one.would_be.confidence == pytest.approx(one.case.was.confidence, abs=1e-6)
        assert one.would_be.decision == one.case.was.decision
        assert not one.changes


def test_a_verdict_is_not_held_against_the_anomaly_that_it_was_given_on() -> None:
    sensor = judged(1)
    anomaly = Anomaly.objects.get()
    person = make_person(sensor.site)
    later = NOW + MINUTE
    review(anomaly=anomaly, verdict=Verdict.FALSE_POSITIVE, note="", person=person, now=later)
    anomaly.refresh_from_db()
    validation.validate(anomaly=anomaly, policy=ValidationPolicy(), now=later + MINUTE)
    assert not [t for t in again()[0].would_be.terms if t.source in {"profile", "precedents"}]


def test_another_threshold_changes_what_lies_between() -> None:
    judged()
    higher = Policies(ValidationPolicy(credible_threshold=1.0, false_positive_threshold=0.95))
    found = again(higher)
    assert any(one.changes for one in found)
    assert all(one.would_be.decision == "false_positive_suspected" for one in found if one.changes)


def test_a_rule_that_is_not_saved_can_be_tried() -> None:
    judged()
    rule = parse(name="try", conditions=[], forced_decision="false_positive_suspected")
    assert {one.would_be.decision for one in again(None, rule)} == {"false_positive_suspected"}
    assert not ValidationRule.objects.exists()


def test_what_is_tried_and_cannot_be_judged_says_why() -> None:
    judged(1)

    def broken(case: Case) -> tuple[Rule, ...]:
        return (parse(name="bad", conditions="nonsense"),)

    known = Policies()
    rows = Anomaly.objects.select_related("sensor__site")
    (found,) = rejudge(cases.past(rows, known), rules_of=broken, policies=known)
    assert found.would_be.decision == "validation_error"
    assert "nonsense" not in found.would_be.terms[0].reason
    assert "conditions are a list" in found.would_be.terms[0].reason

"""How often the validation agent and people say the same."""

from datetime import timedelta

import pytest
from django.test import Client

from anomalies import validation
from anomalies.agreement import Agreement, agreement, last_day
from anomalies.models import Anomaly, Decision, Validation, Verdict
from anomalies.policy import ValidationPolicy
from anomalies.review import review
from tests.factories import NOW, make_anomaly, make_person, make_readings, make_sensor

DAY = timedelta(days=1)


def judged(decision: str, verdict: Verdict | None = None, *, days_ago: int = 1) -> Anomaly:
    when = NOW - days_ago * DAY
    anomaly = make_anomaly(start=when, decision=decision)
    Validation.objects.create(
        anomaly=anomaly, revision=1, decision=decision, status=Decision(decision), confidence=0.5,
        terms=[], policy={}, validated_at=when, took_ms=20.0,
    )  # fmt: skip
    if verdict:
        person = make_person(anomaly.sensor.site)
        review(anomaly=anomaly, verdict=verdict, note="", person=person, now=when + DAY / 24)
    return anomaly


@pytest.mark.django_db
def test_what_was_decided_is_counted_beside_what_people_said() -> None:
    judged("credible_anomaly", Verdict.CONFIRMED)
    judged("credible_anomaly", Verdict.FALSE_POSITIVE)
    judged("false_positive_suspected", Verdict.FALSE_POSITIVE)
    judged("further_investigation_needed", Verdict.CONFIRMED)
    judged("credible_anomaly", Verdict.UNSURE)
    judged("credible_anomaly", Verdict.CONFIRMED, days_ago=120)
    found = agreement(now=NOW)
    assert (found.verdicts, found.same, found.opposed) == (4, 2, 1)
    assert found.share == pytest.approx(2 / 3)


@pytest.mark.django_db
def test_a_decision_made_after_the_verdict_agrees_with_nobody() -> None:
    anomaly = judged("further_investigation_needed", Verdict.CONFIRMED)
    make_readings(anomaly.sensor, [50.0] * 20, until=anomaly.start - timedelta(minutes=1))
    Anomaly.objects.update(score=0.9)
    anomaly.refresh_from_db()
    validation.validate(anomaly=anomaly, policy=ValidationPolicy(), now=NOW)
    assert agreement(now=NOW).counts == {("further_investigation_needed", "confirmed"): 1}


@pytest.mark.django_db
def test_of_other_sites_nothing_is_counted() -> None:
    anomaly = judged("credible_anomaly", Verdict.CONFIRMED)
    own = Anomaly.objects.for_user(make_person(anomaly.sensor.site))
    strange = Anomaly.objects.for_user(make_person(make_sensor().site))
    assert agreement(now=NOW, visible=own).same == 1
    assert agreement(now=NOW, visible=strange) == Agreement({})


def test_nothing_decided_is_no_share() -> None:
    assert Agreement({}).share is None


@pytest.mark.django_db
def test_the_last_day_says_what_was_decided_and_how_long_it_took() -> None:
    judged("credible_anomaly", days_ago=0)
    judged("credible_anomaly", days_ago=2)
    found = last_day(now=NOW + DAY / 2)
    assert found.decisions["credible_anomaly"] == 1
    assert found.decisions["validation_error"] == 0
    assert (found.median_ms, found.slow_ms) == (20.0, 20.0)


@pytest.mark.django_db
def test_the_metrics_carry_both() -> None:
    text = Client().get("/metrics").content.decode()
    assert 'smartmaint_validations_last_day{decision="credible_anomaly"} 0.0' in text
    assert 'smartmaint_validation_seconds{quantile="0.95"} 0.0' in text

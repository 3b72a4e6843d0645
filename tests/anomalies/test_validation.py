"""The validation agent on the database."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection
from pytest_django import DjangoAssertNumQueries, Settings

from anomalies import cases, profiles, validation
from anomalies.credibility import Posterior
from anomalies.evidence import Decision
from anomalies.models import Anomaly, SensorValidationProfile, Validation, ValidationRule, Verdict
from anomalies.policy import Policies, PolicyError, ValidationPolicy
from anomalies.review import review
from sensors.models import Sensor
from sensors.states import tag
from tests.factories import (
    NOW,
    make_anomaly,
    make_asset,
    make_person,
    make_readings,
    make_sensor,
    make_site,
)

MINUTE = timedelta(minutes=1)
LATER = NOW + timedelta(hours=1)
POLICY = ValidationPolicy()


def sensor_with_history(values: list[float] | None = None, **given: Any) -> Sensor:
    """A sensor with twenty quiet readings up to a minute before NOW, and none at NOW."""
    sensor = make_sensor(**given)
    make_readings(sensor, values or [50.0, 50.2, 49.8, 50.1, 49.9] * 4, until=NOW - MINUTE)
    return sensor


def validate(anomaly: Anomaly) -> Validation:
    return validation.validate(anomaly=anomaly, policy=POLICY, now=LATER)


def names(found: Validation) -> list[str]:
    return [term["name"] for term in found.terms]


@pytest.fixture
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.ERROR):
        yield caplog


@pytest.mark.django_db
def test_a_rare_jump_from_a_quiet_history_is_credible_and_says_why() -> None:
    anomaly = make_anomaly(sensor=sensor_with_history(), score=0.7)
    found = validate(anomaly)
    assert found.decision == found.status == "credible_anomaly"
    assert names(found) == ["isolation_forest", "stable_jump"]
    assert sum(term["value"] for term in found.terms) == pytest.approx(found.confidence, abs=1e-9)
    assert found.policy["credible_threshold"] == 0.7
    assert found.validated_at == LATER


@pytest.mark.django_db
def test_the_anomaly_carries_what_is_in_force_and_waits_no_longer() -> None:
    found = validate(make_anomaly(sensor=sensor_with_history(), revision=4))
    anomaly = Anomaly.objects.get()
    assert (anomaly.decision, anomaly.status) == (found.decision, found.status)
    assert anomaly.confidence == found.confidence
    assert anomaly.validation_due_at is None
    assert found.revision == 4


@pytest.mark.django_db
def test_only_readings_before_the_anomaly_are_its_history() -> None:
    sensor = make_sensor()
    make_readings(sensor, [50.0] * 4, until=NOW - MINUTE)
    make_readings(sensor, [50.0] * 20, until=NOW + 20 * MINUTE)
    found = validate(make_anomaly(sensor=sensor, score=0.9))
    assert (found.decision, found.status) == ("insufficient_data", "further_investigation_needed")


@pytest.mark.django_db
def test_another_sensors_readings_are_no_history() -> None:
    sensor_with_history()
    assert validate(make_anomaly(score=0.9)).decision == "insufficient_data"


@pytest.mark.django_db
def test_history_goes_back_as_far_as_the_policy_says() -> None:
    anomaly = make_anomaly(sensor=sensor_with_history([80.0] * 5 + [50.0, 50.1, 49.9] * 5))
    shorter = ValidationPolicy(historical_check_limit=15)
    assert "recurrence" in names(validate(anomaly))
    assert "recurrence" not in names(
        validation.validate(anomaly=anomaly, policy=shorter, now=LATER)
    )


@pytest.mark.django_db
def test_the_quality_of_the_reading_at_the_peak_counts() -> None:
    sensor = sensor_with_history()
    make_readings(sensor, [80.0], until=NOW, quality=0.55)
    assert "poor reading" in names(validate(make_anomaly(sensor=sensor)))


# --- rules as rows --------------------------------------------------------------------------------


def make_rule(**values: Any) -> ValidationRule:
    rare = [{"field": "score", "op": ">=", "value": 0.5}]
    return ValidationRule.objects.create(**{"name": "mine", "conditions": rare, **values})


@pytest.mark.django_db
def test_a_row_for_every_site_adds_its_term() -> None:
    make_rule(adjustment=0.15)
    found = validate(make_anomaly(sensor=sensor_with_history()))
    assert {
        "source": "rules",
        "name": "mine",
        "value": 0.15,
        "reason": "score >= 0.5",
    } in found.terms


@pytest.mark.django_db
def test_a_row_of_another_site_or_kind_does_not_apply() -> None:
    make_rule(site=make_site(), adjustment=0.5)
    make_rule(kind="flow", adjustment=0.5)
    assert "mine" not in names(validate(make_anomaly(sensor=sensor_with_history())))


@pytest.mark.django_db
def test_the_sites_own_row_outranks_the_one_for_every_site() -> None:
    sensor = sensor_with_history()
    make_rule(site=sensor.site, adjustment=0.1, priority=1)
    make_rule(adjustment=0.2, priority=200)
    applied = validation.in_force(validation.rule_rows_for(sensor))
    mine = [rule for rule in applied if rule.name == "mine"]
    assert [rule.adjustment for rule in mine] == [0.1]


@pytest.mark.django_db
def test_a_disabled_row_switches_off_the_default_of_its_name() -> None:
    sensor = sensor_with_history()
    assert "lasting" in names(validate(make_anomaly(sensor=sensor, readings=9)))
    make_rule(name="lasting", site=sensor.site, enabled=False)
    later = make_anomaly(sensor=sensor, start=NOW + MINUTE, readings=9)
    assert "lasting" not in names(validate(later))


@pytest.mark.django_db
def test_rows_are_applied_by_priority() -> None:
    make_rule(name="a", forced_decision="credible_anomaly", priority=9)
    make_rule(name="b", forced_decision="false_positive_suspected", priority=1)
    found = validate(make_anomaly(sensor=sensor_with_history()))
    assert found.decision == "false_positive_suspected"


@pytest.mark.django_db
def test_a_bad_rule_is_an_error_when_it_is_saved_by_a_form() -> None:
    rule = ValidationRule(name="typo", conditions=[{"field": "skore", "op": ">", "value": 1}])
    with pytest.raises(ValidationError, match="unknown field 'skore'"):
        rule.full_clean()


# --- failure --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_rule_broken_by_hand_is_a_validation_error_with_its_reason(
    quiet_log: pytest.LogCaptureFixture,
) -> None:
    make_rule(conditions=[{"field": "skore", "op": ">", "value": 1}])
    make_anomaly(sensor=sensor_with_history())
    assert validation.validate_due(now=LATER) == 1
    found = Validation.objects.get()
    assert (found.decision, found.status) == ("validation_error", "further_investigation_needed")
    assert "unknown field 'skore'" in found.terms[0]["reason"]
    assert Anomaly.objects.standing().get().decision == Decision.ERROR
    assert "cannot be judged" in quiet_log.text


@pytest.mark.django_db
def test_a_disabled_rule_that_is_broken_harms_nothing() -> None:
    make_rule(conditions="nonsense", enabled=False)
    found = validate(make_anomaly(sensor=sensor_with_history()))
    assert found.decision != Decision.ERROR


@pytest.mark.django_db
def test_an_anomaly_without_a_usable_number_is_a_validation_error(
    quiet_log: pytest.LogCaptureFixture,
) -> None:
    found = validate(make_anomaly(sensor=sensor_with_history(), observed=float("nan")))
    assert found.decision == "validation_error"
    assert "value is nan" in found.terms[0]["reason"]


@pytest.mark.django_db
def test_one_that_cannot_be_judged_does_not_hold_up_the_others(
    quiet_log: pytest.LogCaptureFixture,
) -> None:
    make_anomaly(sensor=sensor_with_history(), observed=float("inf"))
    make_anomaly(sensor=sensor_with_history(), start=NOW + MINUTE, score=0.7)
    assert validation.validate_due(now=LATER) == 2
    decisions = Anomaly.objects.order_by("start").values_list("decision", flat=True)
    assert list(decisions) == ["validation_error", "credible_anomaly"]


@pytest.mark.django_db
def test_an_unforeseen_error_leaves_the_anomaly_due_after_its_lease_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The database goes away in the middle of the first; nothing of it is stored."""
    first = make_anomaly(sensor=sensor_with_history())
    second = make_anomaly(sensor=sensor_with_history(), start=NOW + MINUTE)
    record = validation._record

    def away(anomaly: Anomaly, *args: Any, **kwargs: Any) -> Validation:
        if anomaly == first:
            raise OperationalError("the server closed the connection")
        return record(anomaly, *args, **kwargs)

    monkeypatch.setattr(validation, "_record", away)
    with pytest.raises(OperationalError):
        validation.validate_due(now=LATER)
    assert validation.validate_due(now=LATER) == 1
    assert Validation.objects.get().anomaly == second
    monkeypatch.undo()
    assert validation.validate_due(now=LATER) == 0
    assert validation.validate_due(now=LATER + validation.LEASE) == 1
    assert Validation.objects.filter(anomaly=first).count() == 1


@pytest.mark.django_db
def test_a_policy_that_cannot_be_read_takes_no_anomaly(settings: Settings) -> None:
    make_anomaly(sensor=sensor_with_history())
    settings.VALIDATION_POLICY = {"nonsense": 1}
    with pytest.raises(PolicyError):
        validation.validate_due(now=LATER)
    assert Anomaly.objects.get().validation_due_at == NOW


# --- what is due ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_is_withdrawn_or_validated_is_not_due() -> None:
    make_anomaly(validation_due_at=None)
    make_anomaly(withdrawn_at=NOW)
    assert validation.validate_due(now=LATER) == 0


@pytest.mark.django_db
def test_no_more_than_the_limit_is_judged_oldest_first() -> None:
    sensor = sensor_with_history()
    for i in range(3):
        make_anomaly(sensor=sensor, start=NOW + i * MINUTE)
    assert validation.validate_due(now=LATER, limit=2) == 2
    assert Anomaly.objects.awaiting_validation().get().start == NOW + 2 * MINUTE


@pytest.mark.django_db
def test_a_revised_anomaly_is_judged_again_and_both_judgements_are_kept() -> None:
    anomaly = make_anomaly(sensor=sensor_with_history())
    validation.validate_due(now=LATER)
    Anomaly.objects.update(score=0.9, revision=2, validation_due_at=LATER)
    validation.validate_due(now=LATER)
    assert [v.revision for v in anomaly.validations.all()] == [2, 1]
    assert Anomaly.objects.get().status == "credible_anomaly"


@pytest.mark.django_db
def test_an_anomaly_that_changes_after_it_was_taken_is_left_to_the_next_turn() -> None:
    anomaly = make_anomaly(sensor=sensor_with_history())
    taken = validation._take(now=LATER)
    assert taken == anomaly.pk
    changed_at = LATER + timedelta(seconds=1)
    Anomaly.objects.update(validation_due_at=changed_at)
    assert not validation._validate_taken(anomaly.pk, Policies(), now=LATER)
    assert Anomaly.objects.get().validation_due_at == changed_at


@pytest.mark.django_db
def test_the_policy_of_the_sensors_kind_is_the_one_that_judges(settings: Settings) -> None:
    settings.VALIDATION_POLICY = {"kinds": {"flow": {"credible_threshold": 0.95}}}
    make_anomaly(sensor=sensor_with_history(kind="flow"), score=0.7)
    make_anomaly(sensor=sensor_with_history(kind="voltage"), start=NOW + MINUTE, score=0.7)
    validation.validate_due(now=LATER)
    statuses = Anomaly.objects.order_by("start").values_list("status", flat=True)
    assert list(statuses) == ["further_investigation_needed", "credible_anomaly"]


@pytest.mark.django_db
def test_judging_one_takes_a_fixed_number_of_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    anomaly = make_anomaly(sensor=sensor_with_history())
    # Profile, fault periods, same time of day, precedents, rules, anomaly, validation, the
    # savepoint's two; the two COPYs go uncounted.
    with django_assert_num_queries(9):
        validate(anomaly)


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_judge_every_anomaly_exactly_once() -> None:
    sensor = sensor_with_history()
    for i in range(24):
        make_anomaly(sensor=sensor, start=NOW + i * MINUTE)
    start = Barrier(4)

    def work() -> int:
        start.wait()
        try:
            return validation.validate_due(now=LATER)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        judged = [done.result() for done in [workers.submit(work) for _ in range(4)]]
    assert sum(judged) == 24
    assert Validation.objects.count() == 24
    assert not Anomaly.objects.awaiting_validation().exists()


# --- what people said -----------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verdict", "direction"),
    [(Verdict.CONFIRMED, 1), (Verdict.FALSE_POSITIVE, -1), (Verdict.UNSURE, 0)],
)
def test_a_verdict_moves_the_confidence_of_later_anomalies_only(
    verdict: Verdict, direction: int
) -> None:
    sensor = sensor_with_history()
    first = make_anomaly(sensor=sensor)
    before = validate(first).confidence
    person = make_person(sensor.site)
    review(anomaly=first, verdict=verdict, note="", person=person, now=LATER)
    # Another start, the same history: only the verdict differs.
    second = make_anomaly(sensor=sensor, start=NOW + timedelta(seconds=1))
    after = validate(second).confidence
    assert (after > before) - (after < before) == direction
    assert Anomaly.objects.get(pk=first.pk).confidence == before


@pytest.mark.django_db
def test_a_verdict_moves_nothing_of_another_sensor() -> None:
    reviewed, other = sensor_with_history(), sensor_with_history()
    anomaly = make_anomaly(sensor=reviewed)
    person = make_person(reviewed.site)
    review(anomaly=anomaly, verdict=Verdict.FALSE_POSITIVE, note="", person=person, now=LATER)
    assert profiles.posterior_of(other, anomaly.detector, at=LATER) == Posterior(0, 0)


@pytest.mark.django_db
def test_enough_refutations_turn_a_flag_into_a_suspected_false_positive() -> None:
    sensor = sensor_with_history()
    SensorValidationProfile.objects.create(
        sensor=sensor, kind=sensor.kind, detector="isolation_forest", refuted=8, updated_at=LATER
    )
    assert validate(make_anomaly(sensor=sensor, score=0.55)).status == "false_positive_suspected"


# --- what was around it ---------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_time_of_day_is_that_of_the_site_and_the_state_that_of_the_machine() -> None:
    asset = make_asset(site=make_site(timezone="Asia/Kolkata"))
    sensor = sensor_with_history(asset=asset)
    anomaly = make_anomaly(sensor=sensor)
    tag(
        asset=asset, state="starting", start=NOW - MINUTE, end=None, source="test", now=NOW
    )  # fmt: skip
    found = cases.evidence_of(anomaly, cases.around(anomaly, POLICY, at=LATER))
    assert found.hour == 17.5
    assert found.asset_state == "starting"
    alone = make_anomaly(sensor=sensor_with_history())
    assert cases.evidence_of(alone, cases.around(alone, POLICY, at=LATER)).asset_state == ""


@pytest.mark.django_db
def test_how_long_a_judgement_took_is_stored() -> None:
    took = validate(make_anomaly(sensor=sensor_with_history())).took_ms
    assert took is not None
    assert 0 < took < 60_000

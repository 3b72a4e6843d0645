"""Every decision, reached as in service: readings in, a worker's pass, a judgement."""

from __future__ import annotations

from datetime import timedelta
from math import fsum

import numpy as np
import pytest
from django.utils import timezone
from pytest_django import Settings

from anomalies import tasks
from anomalies.models import Anomaly, Validation, ValidationRule, Verdict
from anomalies.review import review
from sensors import formats
from sensors.acquisition import ingest
from sensors.models import Sensor
from tests.factories import NOW, make_person, make_sensor

pytestmark = pytest.mark.django_db
STEP = timedelta(minutes=10)


def send(sensor: Sensor, values: list[float], *, first: int = 0) -> None:
    """Readings every ten minutes over the ingestion agent, then what the workers do."""
    start = NOW - timedelta(days=20)
    rows = [
        f"{sensor.external_id},{(start + (first + i) * STEP).isoformat()},{value!r}\n"
        for i, value in enumerate(values)
    ]
    body = f"sensor,time,value\n{''.join(rows)}".encode()
    receipt = ingest(formats.from_csv(body), site=sensor.site, source="test", now=NOW)
    assert receipt.accepted == len(values)
    tasks.run_detection()
    tasks.run_validation()


def calm(n: int, seed: int = 3) -> list[float]:
    return np.random.default_rng(seed).normal(50.0, 0.5, n).round(3).tolist()


def decided(sensor: Sensor) -> Anomaly:
    """The newest anomaly, with its terms looked at."""
    anomaly = Anomaly.objects.standing().filter(sensor=sensor).latest("start")
    found: Validation = anomaly.validations.all()[0]
    assert anomaly.confidence == found.confidence
    total = fsum(term["value"] for term in found.terms)
    assert total == pytest.approx(found.confidence, abs=1e-9)
    assert (found.decision, found.status) == (anomaly.decision, anomaly.status)
    assert all(term["reason"] for term in found.terms)
    return anomaly


@pytest.fixture
def sensor() -> Sensor:
    return make_sensor(kind="pressure", unit="kPa")


def test_a_lasting_jump_from_a_calm_history_is_a_credible_anomaly(sensor: Sensor) -> None:
    send(sensor, [*calm(300), *[8.0 + value for value in calm(8, seed=4)]])
    assert decided(sensor).decision == "credible_anomaly"


def test_a_slight_one_is_to_be_investigated_further(sensor: Sensor) -> None:
    send(sensor, [*calm(300), 52.1, *calm(3, seed=5)])
    assert decided(sensor).decision == "further_investigation_needed"


def test_one_like_those_that_people_refuted_is_a_suspected_false_positive(sensor: Sensor) -> None:
    person, sent = make_person(sensor.site), 300
    send(sensor, calm(sent))
    decisions = []
    for day in range(7):
        bump = [54.1, *calm(181, seed=10 + day)]  # at another time of each day
        send(sensor, bump, first=sent)
        sent += len(bump)
        decisions.append(decided(sensor).decision)
        review(
            anomaly=decided(sensor), verdict=Verdict.FALSE_POSITIVE, note="", person=person,
            now=timezone.now(),
        )  # fmt: skip
    assert decisions[0] == "credible_anomaly"
    assert decisions[-1] == "false_positive_suspected"
    terms = decided(sensor).validations.all()[0].terms
    assert {"profile", "precedents"} <= {term["source"] for term in terms}


@pytest.mark.parametrize(("n", "is_enough"), [(59, False), (60, True)])
def test_one_reading_less_than_the_history_needs_is_insufficient_data(
    sensor: Sensor, settings: Settings, n: int, is_enough: bool
) -> None:
    settings.VALIDATION_POLICY = {"min_history": 60, "historical_check_limit": 80}
    send(sensor, [*calm(n), 65.0])
    found = decided(sensor)
    assert (found.decision != "insufficient_data") == is_enough
    assert is_enough or found.status == "further_investigation_needed"


@pytest.mark.parametrize("n", [4, 5])
def test_a_limit_is_believed_with_four_readings_before_it_as_with_five(n: int) -> None:
    sensor = make_sensor(kind="pressure", unit="kPa", alarm_high=60.0)
    send(sensor, [*calm(n), 61.0])
    found = decided(sensor)
    assert (found.decision, found.detector, found.confidence) == ("credible_anomaly", "limits", 1.0)
    terms = found.validations.all()[0].terms
    assert (n < 5) == ("too_short" in {term["name"] for term in terms})


def test_a_history_without_variance_is_judged_and_its_first_other_value_is_a_jump() -> None:
    sensor = make_sensor(kind="pressure", unit="kPa", alarm_high=60.0)
    send(sensor, [*[50.0] * 20, 61.0])
    terms = {term["name"]: term["value"] for term in decided(sensor).validations.all()[0].terms}
    assert terms["stable_jump"] == 0.1


def test_a_rule_broken_behind_the_forms_back_is_a_validation_error(sensor: Sensor) -> None:
    ValidationRule.objects.create(name="broken", site=sensor.site, conditions=[{"field": "mood"}])
    send(sensor, [*calm(300), 58.0])
    found = decided(sensor)
    assert (found.decision, found.status) == ("validation_error", "further_investigation_needed")
    assert found.confidence == 0.0


def test_what_comes_every_day_at_that_time_is_held_against_it(sensor: Sensor) -> None:
    # It lasts longer than on other days: what is as it was then is no anomaly in the first place.
    a_day = [*calm(72), 54.1, *calm(71, seed=8)]
    longer = [*calm(72), *[54.1] * 7, *calm(65, seed=8)]
    send(sensor, [*calm(288), *a_day, *a_day, *a_day, *a_day, *longer])
    terms = {term["name"]: term["value"] for term in decided(sensor).validations.all()[0].terms}
    assert terms["seasonal_recurrence"] == -0.15

"""GET /api/v1/anomalies/ID: all that is known of one."""

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from anomalies import validation
from anomalies.models import Anomaly, AnomalyRevision, Verdict
from anomalies.review import review
from sensors.models import Site
from tests.anomalies.api.asking import HOUR, LIST
from tests.factories import NOW, make_anomaly, make_person, make_readings, make_sensor

pytestmark = pytest.mark.django_db


def test_the_detail_names_everything_an_engineer_asks(api: APIClient, site: Site) -> None:
    sensor = make_sensor(site=site)
    make_readings(sensor, [50.0, 50.1, 49.9, 50.0, 50.2] * 4, until=NOW - HOUR)
    parts = {"sentence": "It shakes.", "contributions": [
        {"feature": "level", "share": 1.0, "value": 9.0}], "parts": {"level": 9.0}}  # fmt: skip
    anomaly = make_anomaly(sensor=sensor, score=0.8, explanation=parts)
    validation.validate_due(now=NOW)
    review(
        anomaly=anomaly, verdict=Verdict.CONFIRMED, note="seen", person=make_person(site), now=NOW
    )
    AnomalyRevision.objects.create(
        anomaly=anomaly, revision=2, reason="late readings", before={}, after={}, at=NOW
    )
    one = api.get(f"{LIST}/{anomaly.pk}").json()
    model = [one[name] for name in ("detector", "model_name", "model_version", "rung")]
    assert model == ["isolation_forest", "anomaly-vibration", 1, "champion"]
    assert (one["expected_low"], one["expected_high"], one["observed"]) == (40.0, 60.0, 80.0)
    assert one["explanation"] == parts
    assert one["receipt"] == {"rows": 64}
    judged = one["validation"]
    assert judged["status"] == one["status"] == "credible_anomaly"
    total = sum(term["value"] for term in judged["terms"])
    assert total == pytest.approx(one["confidence"], abs=1e-9)
    assert judged["policy"]["min_history"] == 5
    assert [(r["verdict"], r["note"]) for r in one["reviews"]] == [("confirmed", "seen")]
    assert one["verdict"] == "confirmed"
    assert [r["reason"] for r in one["revisions"]] == ["late readings"]


def test_of_several_validations_the_newest_is_shown(api: APIClient, site: Site) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    validation.validate_due(now=NOW)
    Anomaly.objects.update(score=0.9, revision=2, validation_due_at=NOW + HOUR)
    validation.validate_due(now=NOW + HOUR)
    assert api.get(f"{LIST}/{anomaly.pk}").json()["validation"]["revision"] == 2


def test_an_anomaly_without_validation_says_null(api: APIClient, site: Site) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    assert api.get(f"{LIST}/{anomaly.pk}").json()["validation"] is None


def test_the_detail_takes_five_queries_however_much_was_said(
    api: APIClient, site: Site, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    for _ in range(3):
        review(anomaly=anomaly, verdict=Verdict.UNSURE, note="", person=make_person(site), now=NOW)
    with django_assert_num_queries(5):  # person, anomaly, validations, reviews, revisions
        api.get(f"{LIST}/{anomaly.pk}")


def test_an_id_beyond_any_number_is_a_404(api: APIClient) -> None:
    assert api.get(f"{LIST}/{10**30}").status_code == 404

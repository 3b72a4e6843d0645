"""POST /api/v1/anomalies/ID/review: verdicts, and what they do."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from anomalies.models import Review, SensorValidationProfile
from sensors.models import Site
from tests.anomalies.api.asking import LIST, say
from tests.factories import make_anomaly, make_sensor

pytestmark = pytest.mark.django_db


def test_a_review_is_created_and_shows(api: APIClient, site: Site, person: User) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    answer = say(api, anomaly, {"verdict": "confirmed", "note": "bearing"})
    assert answer.status_code == 201
    said = answer.json()
    assert (said["verdict"], said["note"]) == ("confirmed", "bearing")
    assert said["person"] == person.get_username()
    assert api.get(f"{LIST}/{anomaly.pk}").json()["reviews"] == [said]


def test_a_note_is_optional(api: APIClient, site: Site) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    assert say(api, anomaly, {"verdict": "unsure"}).status_code == 201


def test_changing_ones_mind_keeps_both_reviews_and_counts_the_newest(
    api: APIClient, site: Site
) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    say(api, anomaly, {"verdict": "confirmed"})
    say(api, anomaly, {"verdict": "false_positive"})
    one = api.get(f"{LIST}/{anomaly.pk}").json()
    assert [r["verdict"] for r in one["reviews"]] == ["false_positive", "confirmed"]
    assert one["verdict"] == "false_positive"
    profile = SensorValidationProfile.objects.get()
    assert (profile.confirmed, profile.refuted) == (0, 1)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "confirmed",
        {"verdict": "maybe"},
        {"verdict": ["confirmed"]},
        {"verdict": None},
        {"verdict": "confirmed", "note": "x" * 4001},
        {"verdict": "confirmed", "note": "a\x00b"},
        {"verdict": "confirmed", "note": {"a": 1}},
    ],
)
def test_a_review_that_cannot_be_meant_is_a_400_and_stores_nothing(
    api: APIClient, site: Site, body: Any
) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    assert say(api, anomaly, body).status_code == 400
    assert not Review.objects.exists()


def test_a_note_with_half_a_character_is_a_400(api: APIClient, site: Site) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    body = '{"verdict": "confirmed", "note": "\\ud800"}'
    answer = api.post(f"{LIST}/{anomaly.pk}/review", body, content_type="application/json")
    assert answer.status_code == 400

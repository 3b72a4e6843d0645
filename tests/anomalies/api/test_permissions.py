"""Who may ask for anomalies, and who may judge them."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from anomalies.models import Review
from sensors.models import Site
from tests.anomalies.api.asking import HOUR, LIST, found, say, signed_in
from tests.factories import (
    NOW,
    make_anomaly,
    make_key,
    make_person,
    make_sensor,
    make_silence,
    make_site,
)

pytestmark = pytest.mark.django_db


def test_someone_of_another_site_sees_and_reviews_nothing(site: Site) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    stranger = signed_in(make_person(make_site()))
    assert found(stranger) == []
    assert stranger.get(f"{LIST}/{anomaly.pk}").status_code == 404
    assert say(stranger, anomaly, {"verdict": "confirmed"}).status_code == 404
    assert found(stranger, sensor=anomaly.sensor_id) == []
    assert not Review.objects.exists()


def test_a_member_of_two_sites_sees_each_anomaly_once(site: Site) -> None:
    other = make_site()
    anomalies = {make_anomaly(sensor=make_sensor(site=s)).pk for s in (site, other)}
    seen = found(signed_in(make_person(site, other)))
    assert len(seen) == 2
    assert set(seen) == anomalies


@pytest.mark.parametrize("address", [LIST, f"{LIST}/1"])
def test_nobody_is_nobody(address: str) -> None:
    assert APIClient().get(address).status_code == 401


def test_a_session_reviews_only_with_its_csrf_token(site: Site, person: User) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person)
    assert browser.get(LIST).status_code == 200
    forged = browser.post(
        f"{LIST}/{anomaly.pk}/review", {"verdict": "confirmed"}, content_type="application/json"
    )
    assert forged.status_code == 403
    assert not Review.objects.exists()


def by_key(site: Site, *scopes: str) -> APIClient:
    client = APIClient()
    _, secret = make_key(site=site, scopes=list(scopes))
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {secret}")
    return client


def test_a_key_reads_its_own_site_if_its_scope_says_so(site: Site) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    address = f"{LIST}/{anomaly.pk}"
    assert by_key(site, "read").get(address).status_code == 200
    assert found(by_key(site, "read")) == [anomaly.pk]
    assert by_key(make_site(), "read").get(address).status_code == 404
    assert found(by_key(make_site(), "read")) == []
    assert by_key(site, "readings:write").get(address).status_code == 403


def test_a_key_gives_no_verdict(site: Site) -> None:
    anomaly = make_anomaly(sensor=make_sensor(site=site))
    answer = say(by_key(site, "read", "readings:write"), anomaly, {"verdict": "confirmed"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "not_a_person"
    assert not Review.objects.exists()


def test_silences_can_be_asked_for(api: APIClient, site: Site) -> None:
    def found(**query: Any) -> set[int]:
        answer = api.get(LIST, query)
        assert answer.status_code == 200, answer.json()
        return {row["id"] for row in answer.json()["results"]}

    sensor = make_sensor(site=site)
    past = make_anomaly(sensor=sensor, start=NOW - HOUR)
    leader = make_silence(sensor=sensor, last=NOW - 5 * HOUR)
    other = make_silence(sensor=make_sensor(site=site), last=NOW - 5 * HOUR, follows=leader)
    assert found(open="true") == {leader.pk, other.pk}
    assert found(open="false") == {past.pk}
    assert found(follows=leader.pk) == {other.pk}
    assert found(follows="none") == {past.pk, leader.pk}
    assert found(follows="9" * 20) == set()
    # What goes on has not ended before any instant.
    assert {leader.pk, other.pk} <= found(**{"from": NOW.isoformat()})
    assert api.get(LIST, {"follows": "x"}).status_code == 400
    said = api.get(f"{LIST}/{other.pk}").json()
    assert (said["is_open"], said["follows"]) == (True, leader.pk)
    assert said["explanation"]["silence"]["interval_s"] == 60

"""GET /api/v1/anomalies[/ID] and POST /api/v1/anomalies/ID/review."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from anomalies import validation
from anomalies.models import Anomaly, AnomalyRevision, Review, SensorValidationProfile, Verdict
from anomalies.review import review
from sensors.models import Site
from tests.factories import (
    NOW,
    make_anomaly,
    make_asset,
    make_key,
    make_person,
    make_readings,
    make_sensor,
    make_silence,
    make_site,
)

pytestmark = pytest.mark.django_db
LIST = "/api/v1/anomalies"
HOUR = timedelta(hours=1)


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def person(site: Site) -> User:
    return make_person(site)


@pytest.fixture
def api(person: User) -> APIClient:
    return signed_in(person)


def signed_in(person: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(person)}")
    return client


def found(api: APIClient, **parameters: Any) -> list[int]:
    answer = api.get(LIST, parameters)
    assert answer.status_code == 200, answer.content
    return [anomaly["id"] for anomaly in answer.json()["results"]]


# --- the list -------------------------------------------------------------------------------------


def test_the_list_is_newest_first_and_says_what_matters(api: APIClient, site: Site) -> None:
    sensor = make_sensor(asset=make_asset(site=site, name="pump 7"), external_id="p7-vib")
    older = make_anomaly(sensor=sensor, score=0.8)
    newer = make_anomaly(sensor=sensor, start=NOW + HOUR)
    assert found(api) == [newer.pk, older.pk]
    one = api.get(LIST).json()["results"][1]
    assert one["sensor"] == {
        "id": sensor.pk, "external_id": "p7-vib", "kind": "vibration", "site": site.slug
    }  # fmt: skip
    assert one["asset"]["name"] == "pump 7"
    assert (one["score"], one["rung"], one["unit"]) == (0.8, "champion", "mm/s")
    assert one["sentence"] == "It shakes."
    assert "receipt" not in one


def test_what_was_not_validated_or_reviewed_says_null(api: APIClient, site: Site) -> None:
    make_anomaly(sensor=make_sensor(site=site))
    (one,) = api.get(LIST).json()["results"]
    nothing = [one[name] for name in ("decision", "status", "confidence", "verdict", "asset")]
    assert nothing == [None] * 5


def test_the_list_comes_in_pages_that_miss_nothing(api: APIClient, site: Site) -> None:
    sensor = make_sensor(site=site)
    made = [make_anomaly(sensor=sensor, start=NOW + i * HOUR).pk for i in range(7)]
    seen: list[int] = []
    address: str | None = f"{LIST}?page_size=3"
    while address:
        page = api.get(address).json()
        seen += [anomaly["id"] for anomaly in page["results"]]
        address = page["next"]
    assert seen == made[::-1]


@pytest.mark.parametrize("rows", [1, 6])
def test_the_list_takes_two_queries_however_long_it_is(
    api: APIClient, site: Site, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        make_anomaly(sensor=make_sensor(asset=make_asset(site=site)))
    with django_assert_num_queries(2):  # the person, the anomalies
        assert len(found(api)) == rows


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"kind": "flow"}, "flow"),
        ({"kind": "vibration"}, "plain"),
        ({"status": "credible_anomaly"}, "flow"),
        ({"status": "none"}, "plain"),
        ({"nature": "instrument"}, "flow"),
        ({"verdict": "confirmed"}, "flow"),
        ({"verdict": "none"}, "plain"),
        ({"severity_min": 4}, "flow"),
        ({"severity_min": 5}, None),
        ({"from": "2026-03-01T13:30:00Z"}, "flow"),
        ({"from": "2026-03-01T15:30:00Z"}, None),
        ({"to": "2026-03-01T12:00:00Z"}, "plain"),
        ({"to": "2026-03-01T11:59:59Z"}, None),
        ({"from": "2026-03-01T12:30:00Z", "to": "2026-03-01T13:00:00Z"}, "flow"),
        ({"kind": "flow", "verdict": "none"}, None),
        ({"withdrawn": "true"}, "gone"),
        ({"sensor": "flow-1"}, "flow"),
        ({"sensor": "nobody"}, None),
        ({"sensor": "9" * 30}, None),
        ({"asset": 0}, None),
        ({"asset": 10**30}, None),
    ],
)
def test_a_filter_finds_what_it_says(
    api: APIClient, site: Site, parameters: dict[str, Any], wanted: str | None
) -> None:
    flow = make_sensor(site=site, kind="flow", external_id="flow-1")
    plain = make_sensor(site=site)
    ids = {
        "flow": make_anomaly(
            sensor=flow, start=NOW + HOUR, peak=NOW + 2 * HOUR, end=NOW + 3 * HOUR, severity=4,
            nature="instrument", status="credible_anomaly", verdict="confirmed",
        ).pk,
        "plain": make_anomaly(sensor=plain).pk,
        "gone": make_anomaly(sensor=plain, withdrawn_at=NOW, nature="instrument").pk,
    }  # fmt: skip
    assert found(api, **parameters) == ([ids[wanted]] if wanted else [])


def test_sensor_and_asset_filter_by_number(api: APIClient, site: Site) -> None:
    sensor = make_sensor(asset=make_asset(site=site))
    wanted = make_anomaly(sensor=sensor)
    make_anomaly(sensor=make_sensor(asset=make_asset(site=site)))
    assert found(api, sensor=sensor.pk) == [wanted.pk]
    assert found(api, asset=sensor.asset_id) == [wanted.pk]


def test_what_was_withdrawn_is_listed_only_when_asked_for(api: APIClient, site: Site) -> None:
    sensor = make_sensor(site=site)
    gone = make_anomaly(sensor=sensor, withdrawn_at=NOW)
    stands = make_anomaly(sensor=sensor)
    assert found(api) == [stands.pk]
    assert set(found(api, withdrawn="all")) == {gone.pk, stands.pk}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "colour"),
        ("status", "credible"),
        ("severity_min", "6"),
        ("severity_min", "high"),
        ("from", "yesterday"),
        ("to", "0001-01-01T00:00:00+14:00"),
        ("withdrawn", "perhaps"),
        ("asset", "pump"),
        ("sensor", "\x00"),
        ("sensor", "x" * 201),
        ("cursor", "nonsense"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_a_400_that_names_it(
    api: APIClient, name: str, value: str
) -> None:
    answer = api.get(LIST, {name: value})
    assert answer.status_code == (404 if name == "cursor" else 400)
    assert name in json.dumps(answer.json()["error"])


# --- one ------------------------------------------------------------------------------------------


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


# --- reviews --------------------------------------------------------------------------------------


def say(api: APIClient, anomaly: Anomaly, body: Any) -> Any:
    return api.post(f"{LIST}/{anomaly.pk}/review", body, format="json")


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


# --- who may --------------------------------------------------------------------------------------


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

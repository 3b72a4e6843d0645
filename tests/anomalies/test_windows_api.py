"""/api/v1/windows: for people, and for keys that may plan; nobody plans for another site."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from anomalies.episodes import placing
from anomalies.episodes.policy import EpisodePolicies
from anomalies.models import Episode, MaintenanceWindow
from sensors.models import Sensor
from tests.anomalies.api.asking import signed_in
from tests.factories import make_asset, make_evidence, make_key, make_person, make_sensor, make_site

pytestmark = pytest.mark.django_db

URL = "/api/v1/windows"
HOUR = timedelta(hours=1)
CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
BEGIN:VEVENT
UID:1
DTSTART:{:%Y%m%dT%H%M%SZ}
DURATION:PT2H
RRULE:FREQ=DAILY
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def sensor() -> Sensor:
    return make_sensor(asset=make_asset())


def planned(**values: Any) -> dict[str, Any]:
    now = timezone.now()
    return {
        "reason": "Bearing change",
        "starts_at": (now - HOUR).isoformat(),
        "ends_at": (now + HOUR).isoformat(),
        **values,
    }


def device(sensor: Sensor, *scopes: str) -> APIClient:
    client = APIClient()
    _, secret = make_key(site=sensor.site, scopes=list(scopes))
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {secret}")
    return client


def test_a_person_plans_lists_and_ends_one(sensor: Sensor) -> None:
    person = make_person(sensor.site)
    api = signed_in(person)
    made = api.post(URL, planned(asset=sensor.asset_id), format="json")
    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["site"], told["owner"]) == (sensor.site.slug, person.username)
    assert (told["asset"], told["is_open"], len(told["times"])) == (sensor.asset_id, True, 1)
    assert [one["id"] for one in api.get(URL, {"open": True}).json()["results"]] == [told["id"]]
    assert api.get(URL, {"open": False}).json()["results"] == []
    ended = api.post(f"{URL}/{told['id']}/end").json()
    assert (ended["is_open"], ended["times"][0]["end"] < told["ends_at"]) == (False, True)
    again = api.post(f"{URL}/{told['id']}/end")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "not_open")


def test_what_it_hides_is_counted_and_what_goes_on_past_its_end_opens_an_episode(
    sensor: Sensor,
) -> None:
    api, now = signed_in(make_person(sensor.site)), timezone.now()
    told = api.post(URL, planned(), format="json").json()
    make_evidence(sensor=sensor, start=now - HOUR / 2, end=now + HOUR / 2)
    placing.place_due(now=now, policies=EpisodePolicies())
    assert not Episode.objects.exists()
    assert api.get(f"{URL}/{told['id']}").json()["times"][0]["hidden"] == 1
    api.post(f"{URL}/{told['id']}/end")
    placing.place_due(now=now, policies=EpisodePolicies())
    assert Episode.objects.get().state == "open"


def test_a_calendar_recurs_and_ends_only_this_time(sensor: Sensor) -> None:
    api = signed_in(make_person(sensor.site))
    calendar = CALENDAR.format(timezone.now() - HOUR)
    body = {"reason": "Cleaning", "calendar": calendar, "purpose": "silence"}
    told = api.post(URL, body, format="json").json()
    assert (told["recurs"], told["is_open"]) == (True, True)
    api.post(f"{URL}/{told['id']}/end")
    window = MaintenanceWindow.objects.get()
    assert window.occurrences.filter(start__gt=timezone.now()).count() > 50


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ({"ends_at": None}, "non_field_errors"),
        ({"calendar": "no calendar"}, "calendar"),
        ({"kind": "mood"}, "kind"),
        ({"reason": ""}, "reason"),
        ({"asset": 0}, "asset"),
        ({"site": "nowhere"}, "site"),
    ],
)
def test_what_is_wrong_is_said_by_field(sensor: Sensor, wrong: Any, field: str) -> None:
    answer = signed_in(make_person(sensor.site)).post(URL, planned(**wrong), format="json")
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["error"]["details"]
    assert not MaintenanceWindow.objects.exists()


def test_a_key_needs_its_own_scope(sensor: Sensor) -> None:
    for scopes in (["read"], ["readings:write"], ["read", "readings:write"]):
        answer = device(sensor, *scopes).post(URL, planned(), format="json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_missing")
    planner = device(sensor, "windows:write")
    told = planner.post(URL, planned(), format="json")
    assert (told.status_code, told.json()["site"]) == (201, sensor.site.slug)
    assert told.json()["owner"] is None
    assert planner.get(URL).status_code == 403
    assert planner.post(f"{URL}/{told.json()['id']}/end").status_code == 200


def test_nobody_sees_plans_or_ends_one_of_another_site(sensor: Sensor) -> None:
    own = signed_in(make_person(sensor.site)).post(URL, planned(), format="json").json()
    for other in (
        signed_in(make_person(make_site())),
        device(make_sensor(), "read", "windows:write"),
    ):
        assert other.get(URL).json()["results"] == []
        assert other.get(f"{URL}/{own['id']}").status_code == 404
        assert other.post(f"{URL}/{own['id']}/end").status_code == 404
        for theft in ({"site": sensor.site.slug}, {"asset": sensor.asset_id}):
            assert other.post(URL, planned(**theft), format="json").status_code == 400
    assert MaintenanceWindow.objects.count() == 1


def test_who_belongs_to_several_sites_says_which() -> None:
    here, there = make_site(), make_site()
    api = signed_in(make_person(here, there))
    assert "site" in api.post(URL, planned(), format="json").json()["error"]["details"]
    assert api.post(URL, planned(site=there.slug), format="json").json()["site"] == there.slug


@pytest.mark.parametrize(
    "rule",
    ["FREQ=SECONDLY", "FREQ=MINUTELY;INTERVAL=5", "FREQ=DAILY;BYHOUR=0,4,8,12,16", "FREQ=HOURLY"],
)
def test_a_calendar_of_more_times_than_can_be_unrolled_is_refused(
    sensor: Sensor, rule: str
) -> None:
    client = signed_in(make_person(sensor.site))
    calendar = CALENDAR.format(timezone.now()).replace("FREQ=DAILY", rule)
    answer = client.post(URL, {"reason": "Often", "calendar": calendar}, format="json")
    assert answer.status_code == 400
    assert "4 times a day" in answer.json()["error"]["details"]["calendar"][0]


@pytest.mark.parametrize(
    ("field", "moment"), [("starts_at", "0001-01-01T00:00Z"), ("ends_at", "9999-12-31T23:59Z")]
)
def test_a_window_at_an_end_of_time_is_refused(sensor: Sensor, field: str, moment: str) -> None:
    client = signed_in(make_person(sensor.site))
    answer = client.post(URL, planned(**{field: moment}), format="json")
    assert (answer.status_code, list(answer.json()["error"]["details"])) == (400, [field])

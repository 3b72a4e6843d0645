"""Reading sensors and their readings over the API, as a person and as a device."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from sensors import rollups
from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.models import Sensor
from tests.factories import (
    NOW,
    make_asset,
    make_key,
    make_person,
    make_readings,
    make_sensor,
    make_site,
    rows_of,
)  # fmt: skip

pytestmark = pytest.mark.django_db
URL = "/api/v1/sensors"
NUL_CURSOR = f"cursor={b64encode(b'p=%00').decode()}"


@pytest.fixture
def sensor() -> Sensor:
    site = make_site()
    return make_sensor(site=site, external_id="pump-1/temp", asset=make_asset(site=site))


@pytest.fixture
def person(sensor: Sensor) -> APIClient:
    client = APIClient()
    client.force_login(make_person(sensor.site))
    return client


def device(*scopes: str, site: Any) -> APIClient:
    _, secret = make_key(site=site, scopes=scopes)
    return APIClient(headers={"Authorization": f"Api-Key {secret}"})


def names(answer: Any) -> list[str]:
    return [row["external_id"] for row in answer.json()["results"]]


def test_nobody_reads_without_saying_who_they_are(sensor: Sensor) -> None:
    for path in (URL, f"{URL}/{sensor.pk}", f"{URL}/{sensor.pk}/readings"):
        assert APIClient().get(path).status_code == 401


def test_a_key_reads_with_the_scope_for_it_only(sensor: Sensor) -> None:
    assert names(device("read", site=sensor.site).get(URL)) == ["pump-1/temp"]
    refused = device("readings:write", site=sensor.site).get(URL)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "scope_missing")


@pytest.mark.parametrize("path", ["", "/readings"])
def test_another_sites_sensor_is_not_there(person: APIClient, sensor: Sensor, path: str) -> None:
    theirs = make_sensor()
    reader = device("read", site=sensor.site)
    for client in (person, reader):
        assert client.get(f"{URL}/{theirs.pk}{path}").status_code == 404
        assert client.get(f"{URL}/{10**30}{path}").status_code == 404
        assert client.get(f"{URL}/{sensor.pk}{path}").status_code == 200
        assert names(client.get(URL)) == ["pump-1/temp"]


def test_sensors_are_filtered(person: APIClient, sensor: Sensor) -> None:
    make_sensor(site=sensor.site, external_id="fan-2/volt", kind="voltage", status="retired")
    Sensor.objects.filter(pk=sensor.pk).update(kind="temperature")
    for query in ("kind=temperature", "status=active", f"asset={sensor.asset_id}", "search=UMP-1"):
        assert names(person.get(f"{URL}?{query}")) == ["pump-1/temp"], query
    assert names(person.get(f"{URL}?kind=voltage&status=active")) == []


@pytest.mark.parametrize(
    "query", ["kind=teleport", "status=lost", "asset=x", "search=%00", "cursor=zz", NUL_CURSOR]
)
def test_a_question_that_makes_no_sense_is_no_failure(person: APIClient, query: str) -> None:
    answer = person.get(f"{URL}?{query}")
    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["message"]


def test_a_list_takes_as_many_queries_for_many_sensors_as_for_one(
    person: APIClient, sensor: Sensor
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert person.get(URL).status_code == 200
        return len(queries)

    one = count()
    for _ in range(20):
        make_sensor(site=sensor.site, asset=make_asset(site=sensor.site))
    assert count() == one


def test_pages_follow_each_other(person: APIClient, sensor: Sensor) -> None:
    for number in range(5):
        make_sensor(site=sensor.site, external_id=f"a{number}")
    first = person.get(f"{URL}?page_size=4").json()
    rest = person.get(first["next"]).json()
    found = [row["external_id"] for page in (first, rest) for row in page["results"]]
    assert found == ["a0", "a1", "a2", "a3", "a4", "pump-1/temp"]


def test_a_sensor_shows_its_profile_and_newest_value(person: APIClient, sensor: Sensor) -> None:
    assert person.get(f"{URL}/{sensor.pk}").json()["profile"] is None
    batch = from_json(json.dumps(rows_of(n=3)).encode())
    ingest(batch, site=sensor.site, source="test", now=NOW)
    shown = person.get(f"{URL}/{sensor.pk}").json()
    assert (shown["readings"], shown["last_value"]) == (3, 22.0)
    assert shown["last_time"] == "2026-03-01T12:00:00Z"
    assert shown["profile"]["variance"] == pytest.approx(1.0)
    assert sensor.asset is not None
    assert shown["asset"]["name"] == sensor.asset.name


# --- readings -------------------------------------------------------------------------------------


def readings(person: APIClient, sensor: Sensor, **query: Any) -> dict[str, Any]:
    answer = person.get(f"{URL}/{sensor.pk}/readings", {"to": NOW.isoformat(), **query})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_few_readings_come_as_they_are(person: APIClient, sensor: Sensor) -> None:
    make_readings(sensor, [1.0, 2.0, 3.0])
    found = readings(person, sensor)
    assert (found["level"], found["bucket_seconds"]) == ("readings", None)
    assert [point["value"] for point in found["points"]] == [1.0, 2.0, 3.0]
    assert found["points"][-1]["time"] == "2026-03-01T12:00:00Z"


def test_many_readings_come_in_slices_that_keep_their_extremes(
    person: APIClient, sensor: Sensor
) -> None:
    values = [0.0] * 1000
    values[421] = 99.0
    make_readings(sensor, values)
    rollups.note_all()
    found = readings(person, sensor, points=50)
    points = found["points"]
    assert 1 <= len(points) <= 50
    assert (found["level"], found["bucket_seconds"]) == ("minute", 29 * 60)
    assert sum(point["count"] for point in points) == 1000
    assert max(point["max"] for point in points) == 99.0
    assert min(point["min"] for point in points) == 0.0
    total = sum(point["mean"] * point["count"] for point in points)
    assert total == pytest.approx(99.0)


def test_both_ends_of_the_range_belong_to_it(person: APIClient, sensor: Sensor) -> None:
    make_readings(sensor, [1.0, 2.0, 3.0, 4.0])
    since = NOW - timedelta(minutes=2)
    found = readings(person, sensor, **{"from": since.isoformat()})
    assert [point["value"] for point in found["points"]] == [2.0, 3.0, 4.0]
    few = readings(person, sensor, points=2, **{"from": since.isoformat()})
    assert sum(point["count"] for point in few["points"]) == 3
    assert len(few["points"]) <= 2


def test_without_a_range_the_newest_day_is_shown(person: APIClient, sensor: Sensor) -> None:
    batch = from_json(json.dumps(rows_of(n=3)).encode())
    ingest(batch, site=sensor.site, source="test", now=NOW)
    found = person.get(f"{URL}/{sensor.pk}/readings").json()
    assert datetime.fromisoformat(found["to"]) == NOW
    assert len(found["points"]) == 3


@pytest.mark.parametrize(
    "query",
    [
        {"points": "0"},
        {"points": "5001"},
        {"points": "many"},
        {"from": "yesterday"},
        {"to": "2026-13-01T00:00:00Z"},
        {"from": "2026-02-02T00:00:00Z", "to": "2026-02-01T00:00:00Z"},
        {"from": "\0"},
    ],
)
def test_a_range_that_makes_no_sense_is_400(
    person: APIClient, sensor: Sensor, query: dict[str, str]
) -> None:
    answer = person.get(f"{URL}/{sensor.pk}/readings", query)
    assert answer.status_code == 400
    [field] = answer.json()["error"]["details"]
    assert field in query


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_ends_of_time_can_be_asked_for(person: APIClient, sensor: Sensor, end: str) -> None:
    make_readings(sensor, [1.0, 2.0, 3.0])
    readings(person, sensor, to=end)
    found = readings(person, sensor, to="9999-12-31T23:59:59Z", points=2, **{"from": end})
    assert sum(point.get("count", 1) for point in found["points"]) in {0, 3}

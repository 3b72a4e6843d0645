"""GET /api/v1/anomalies: filters, order, pages, and nothing of another site."""

import json
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from sensors.models import Site
from tests.anomalies.api.asking import HOUR, LIST, found
from tests.factories import NOW, make_anomaly, make_asset, make_sensor

pytestmark = pytest.mark.django_db


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


def test_a_range_that_ends_before_it_begins_is_refused(api: APIClient) -> None:
    answer = api.get(LIST, {"from": "2026-02-01T00:00Z", "to": "2026-01-01T00:00Z"})
    assert (answer.status_code, list(answer.json()["error"]["details"])) == (400, ["from"])

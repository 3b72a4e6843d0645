"""A person's yes to a discovered sensor, by API and admin; the latest value meanwhile."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.models import IngestKey, QuarantinedReading, Reading, Sensor, SensorProfile
from tests.factories import NOW, make_key, make_person, make_sensor, make_site, rows_of
from tests.sensors.admin.staff import make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(settings: Any) -> Sensor:
    """A sensor that was discovered and has sent five readings since, with a neighbour like it."""
    settings.SENSOR_DISCOVERY = "approve"
    key = make_key()[0]
    for name in ("s", "other"):
        for _ in range(2):
            send(rows_of(name, n=5), key)
    return Sensor.objects.get(external_id="s")


def send(rows: list[Any], key: IngestKey) -> None:
    batch = from_json(json.dumps(rows).encode())
    ingest(batch, site=key.site, key=key, source="test", now=NOW)


def signed_in(person: Any) -> APIClient:
    client = APIClient()
    client.force_login(person)
    return client


def test_a_yes_accepts_what_was_sent_meanwhile(waiting: Sensor) -> None:
    client = signed_in(make_person(waiting.site))
    address = f"/api/v1/sensors/{waiting.pk}/approve"
    answer = {"status": "active", "accepted": 5, "duplicates": 0, "quarantined": 0}
    assert client.post(address).json() == answer
    assert client.post(address).json() == {**answer, "accepted": 0}
    assert Reading.objects.filter(sensor=waiting).count() == Reading.objects.count() == 5
    left = QuarantinedReading.objects.waiting().values_list("sensor_ref", flat=True)
    assert set(left) == {"other"}


def test_only_a_person_of_the_site_says_yes(waiting: Sensor) -> None:
    address = f"/api/v1/sensors/{waiting.pk}/approve"
    assert APIClient().post(address).status_code == 401
    assert signed_in(make_person(make_site())).post(address).status_code == 404
    _, secret = make_key(site=waiting.site, scopes=["readings:write", "read"])
    device = APIClient(headers={"Authorization": f"Api-Key {secret}"})
    assert device.post(address).status_code == 403
    assert not Reading.objects.exists()


def test_a_retired_sensor_is_not_approved_by_the_way(waiting: Sensor) -> None:
    Sensor.objects.update(status=Sensor.Status.RETIRED)
    answer = signed_in(make_person(waiting.site)).post(f"/api/v1/sensors/{waiting.pk}/approve")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "sensor_retired")
    assert not Reading.objects.exists()


def test_activating_in_the_admin_accepts_what_was_sent_meanwhile(waiting: Sensor) -> None:
    client = Client()
    client.force_login(make_staff(waiting.site))
    answer = client.post(
        reverse("admin:sensors_sensor_changelist"),
        {"action": "activate", "_selected_action": [waiting.pk]},
        follow=True,
    )
    assert "5 readings that waited were accepted" in answer.content.decode()
    waiting.refresh_from_db()
    assert (waiting.status, Reading.objects.count()) == ("active", 5)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["keep_first", "keep_last"])
def test_the_latest_value_never_goes_back_whoever_sends_what_when(settings: Any, how: str) -> None:
    settings.READING_CONFLICTS = how
    sensor = make_sensor(external_id="s")
    rows = rows_of("s", n=240)
    random.Random(7).shuffle(rows)  # noqa: S311
    key = make_key(site=sensor.site)[0]
    parts = [rows[n::8] for n in range(8)]

    def write(part: list[Any]) -> list[tuple[Any, Any]]:
        seen: list[tuple[Any, Any]] = []
        try:
            for start in range(0, len(part), 6):
                send(part[start : start + 6], key)
                profile = SensorProfile.objects.get(sensor=sensor)
                seen.append((profile.last_time, profile.last_value))
        finally:
            connection.close()
        return seen

    with ThreadPoolExecutor(8) as pool:
        every = list(pool.map(write, parts))
    for seen in every:
        assert seen == sorted(seen)  # values grow with time here
    profile = SensorProfile.objects.get(sensor=sensor)
    assert (profile.last_time, profile.last_value, profile.count) == (NOW, 259.0, 240)

"""The quality of a sensor's readings over time, and its profile, over the API and in the admin."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from sensors import rollups
from sensors.models import HourRollup, Reading, ReadingConflict, Sensor
from sensors.quality import REASONS, Flag
from tests.factories import NOW, make_key, make_person, make_sensor, make_site
from tests.sensors.admin.staff import make_quarantined, make_staff
from tests.sensors.rolled import send

pytestmark = pytest.mark.django_db


@pytest.fixture
def sensor() -> Sensor:
    return make_sensor(site=make_site(), external_id="pump-1/temp", physical_max=100.0)


@pytest.fixture
def person(sensor: Sensor) -> APIClient:
    client = APIClient()
    client.force_login(make_person(sensor.site))
    return client


def ask(client: APIClient, sensor: Sensor, what: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1/sensors/{sensor.pk}/{what}", query)
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def minutes(n: int, *, value: float = 20.0) -> list[tuple[datetime, float]]:
    return [(NOW - timedelta(minutes=m), value + m % 7) for m in range(n)]


@pytest.mark.parametrize("points", [3, 50, 5000])
@pytest.mark.parametrize("is_rolled_up", [True, False])
def test_slices_come_to_what_the_readings_are(
    person: APIClient, sensor: Sensor, points: int, is_rolled_up: bool
) -> None:
    send(sensor, minutes(400))
    if is_rolled_up:
        rollups.roll_up()
    # Notes, minutes and both edges of the range at once.
    send(sensor, [(NOW - timedelta(minutes=100, seconds=30), 500.0)])
    since, until = NOW - timedelta(minutes=333, seconds=7), NOW - timedelta(seconds=11)
    found = ask(person, sensor, "quality", **{"from": since, "to": until, "points": points})
    rows = list(Reading.objects.filter(time__range=(since, until)).values_list("quality", "flags"))
    assert found["readings"] == len(rows) == sum(b["readings"] for b in found["buckets"])
    assert found["quality_mean"] == pytest.approx(np.mean([quality for quality, _ in rows]))
    expected = {
        str(flag.name).lower(): n for flag in Flag if (n := sum(bool(f & flag) for _, f in rows))
    }
    assert {one["reason"]: one["readings"] for one in found["reasons"]} == expected
    assert expected["not_physical"] == 1
    assert len(found["buckets"]) <= points
    begins = [bucket["time"] for bucket in found["buckets"]]
    assert begins == sorted(set(begins))
    [poor] = [bucket for bucket in found["buckets"] if "not_physical" in bucket["reasons"]]
    assert poor["quality_mean"] == min(bucket["quality_mean"] for bucket in found["buckets"])


def test_what_was_refused_and_contradicted_is_counted(person: APIClient, sensor: Sensor) -> None:
    send(sensor, minutes(5))
    send(sensor, [(NOW, 99.0)])
    for code, age in (("time_invalid", 1), ("time_invalid", 2), ("missing_field", 3), ("old", 60)):
        make_quarantined(
            sensor.site, sensor_ref=sensor.external_id, code=code,
            received_at=NOW - timedelta(minutes=age),
        )  # fmt: skip
    make_quarantined(make_site(), sensor_ref=sensor.external_id, received_at=NOW)
    make_quarantined(sensor.site, sensor_ref="another", received_at=NOW)
    found = ask(person, sensor, "quality", **{"from": NOW - timedelta(minutes=30), "to": NOW})
    assert found["quarantined"] == {"time_invalid": 2, "missing_field": 1}
    assert (found["conflicts"], ReadingConflict.objects.count()) == (1, 1)


def test_a_sensor_that_said_nothing_has_an_empty_quality(person: APIClient, sensor: Sensor) -> None:
    found = ask(person, sensor, "quality")
    assert (found["readings"], found["quality_mean"], found["buckets"]) == (0, None, [])
    assert (found["reasons"], found["quarantined"], found["conflicts"]) == ([], {}, 0)


def test_a_year_is_read_from_the_roll_ups(person: APIClient, sensor: Sensor) -> None:
    hours = [
        HourRollup(
            sensor=sensor, time=NOW - timedelta(hours=h), count=3600, minimum=0, maximum=1, mean=0,
            last=0, quality_mean=0.5, flag_counts=[0, 0, 2, 0],
        )
        for h in range(24 * 365)
    ]  # fmt: skip
    HourRollup.objects.bulk_create(hours)
    Reading.objects.all().delete()
    since, until = NOW - timedelta(days=300), NOW
    with CaptureQueriesContext(connection) as queries:
        found = ask(person, sensor, "quality", **{"from": since, "to": until, "points": 100})
    assert found["level"] == "hour"
    assert found["readings"] >= 299 * 24 * 3600
    assert found["reasons"][0]["reason"] == "unusual"
    assert len(queries) < 16


@pytest.mark.parametrize(
    "query", [{"points": 0}, {"points": 5001}, {"from": "2026-02-02", "to": "2026-02-01"}]
)
def test_a_range_that_makes_no_sense_is_refused(
    person: APIClient, sensor: Sensor, query: dict[str, Any]
) -> None:
    assert person.get(f"/api/v1/sensors/{sensor.pk}/quality", query).status_code == 400


@pytest.mark.parametrize("what", ["quality", "profile"])
def test_another_site_and_a_key_that_may_only_write_read_nothing(sensor: Sensor, what: str) -> None:
    address = f"/api/v1/sensors/{sensor.pk}/{what}"
    assert APIClient().get(address).status_code == 401
    stranger = APIClient()
    stranger.force_login(make_person(make_site()))
    assert stranger.get(address).status_code == 404
    for site, scopes, status in (
        (sensor.site, ["readings:write"], 403),
        (make_site(), ["read"], 404),
        (sensor.site, ["read"], 200),
    ):
        _, secret = make_key(site=site, scopes=scopes)
        device = APIClient(headers={"Authorization": f"Api-Key {secret}"})
        assert device.get(address).status_code == status


def test_readings_say_their_reasons_beside_their_score(person: APIClient, sensor: Sensor) -> None:
    send(sensor, [(NOW, 20.0), (NOW - timedelta(minutes=1), 500.0)])
    poor, good = ask(person, sensor, "readings")["points"]
    assert set(poor["reasons"]) == {"not_physical", "backfill"}
    assert good["reasons"] == ["backfill"]


# --- profile --------------------------------------------------------------------------------------


def test_a_profile_says_range_rhythm_noise_and_gaps(person: APIClient, sensor: Sensor) -> None:
    rng = np.random.default_rng(1)
    at = [NOW - timedelta(minutes=m) for m in range(200) if not 50 <= m < 70]
    send(sensor, [(time, 20 + float(rng.normal(0, 2.0))) for time in at])
    found = ask(person, sensor, "profile")
    stored = np.array(Reading.objects.values_list("value", flat=True))
    assert (found["readings"], found["unit"]) == (180, "mm/s")
    assert found["values"]["minimum"] == stored.min()
    assert found["values"]["maximum"] == stored.max()
    assert found["values"]["mean"] == pytest.approx(stored.mean())
    assert found["values"]["deviation"] == pytest.approx(stored.std(ddof=1))
    assert found["values"]["noise_floor"] == pytest.approx(2.0, rel=0.25)
    assert found["rhythm"]["interval_s"] == 60.0
    assert found["rhythm"]["as_of"] == "2026-03-01T12:00:00Z"
    assert (found["gaps"]["count"], found["gaps"]["typical_s"]) == (1, 21 * 60)


def test_a_profile_of_nothing_is_empty_and_of_one_reading_has_no_rhythm(
    person: APIClient, sensor: Sensor
) -> None:
    found = ask(person, sensor, "profile")
    assert (found["readings"], found["as_of"]) == (0, None)
    assert found["values"] is found["rhythm"] is found["gaps"] is None
    send(sensor, [(NOW, 20.0)])
    found = ask(person, sensor, "profile")
    assert (found["readings"], found["rhythm"], found["gaps"]) == (1, None, None)
    assert found["values"]["deviation"] is found["values"]["noise_floor"] is None


# --- the admin ------------------------------------------------------------------------------------


def shown(sensor: Sensor) -> str:
    client = Client()
    client.force_login(make_staff(sensor.site))
    address = reverse("admin:sensors_sensor_change", args=[sensor.pk])
    return client.get(address).content.decode()


def test_the_page_of_a_sensor_shows_its_quality_as_a_strip(sensor: Sensor) -> None:
    send(sensor, [*minutes(30), (NOW - timedelta(minutes=10, seconds=30), 500.0)])
    make_quarantined(
        sensor.site, sensor_ref=sensor.external_id, received_at=NOW - timedelta(minutes=1)
    )
    page = shown(sensor)
    assert 'class="quality-strip"' in page
    assert 'class="good"' in page
    assert REASONS[Flag.NOT_PHYSICAL] in page
    assert "1 came into quarantine: time_invalid 1" in page
    assert "every 1 min" in page


def test_the_page_of_a_sensor_that_said_nothing_has_no_strip(sensor: Sensor) -> None:
    page = shown(sensor)
    assert "quality-strip" not in page
    assert "No readings in this range." in page


def test_every_flag_has_words() -> None:
    assert set(REASONS) == set(Flag)

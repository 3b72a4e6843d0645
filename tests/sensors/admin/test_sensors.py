"""Sensors and places: the list, the page with its chart, what may be changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.factories import make_asset, make_readings, make_sensor, make_site
from tests.sensors.admin.staff import HOSTILE, boss, make_profile, page

pytestmark = pytest.mark.django_db


def test_the_list_shows_the_newest_value_with_its_unit_and_age() -> None:
    make_profile(make_sensor(), last_time=timezone.now() - timedelta(seconds=90))
    text = page(boss(), "sensors_sensor_changelist")
    assert "41.23 mm/s" in text
    assert "1 min ago" in text


def test_the_list_takes_as_many_queries_for_many_sensors_as_for_one(
    django_assert_max_num_queries,
) -> None:
    site = make_site()
    for _ in range(12):
        make_profile(make_sensor(asset=make_asset(site=site)))
    client = boss()
    page(client, "sensors_sensor_changelist")
    with django_assert_max_num_queries(9):
        page(client, "sensors_sensor_changelist")


def test_the_page_of_a_sensor_draws_its_readings_over_the_asked_range() -> None:
    sensor = make_sensor(alarm_high=90.0)
    now = timezone.now()
    make_readings(sensor, [40.0] * 118 + [77.77, 41.0], until=now)
    make_profile(sensor, last_time=now)
    client = boss()
    assert "120 readings" in page(client, "sensors_sensor_change", sensor.pk)
    hour = page(client, "sensors_sensor_change", sensor.pk, range="1h")
    assert "61 readings" in hour
    assert "77.77 mm/s" in hour
    assert "alarm high 90 mm/s" in hour


def test_a_range_nobody_offers_shows_the_newest_readings() -> None:
    sensor = make_sensor()
    make_readings(sensor, [1.0, 2.0], until=timezone.now())
    make_profile(sensor, last_time=timezone.now())
    assert "2 readings" in page(boss(), "sensors_sensor_change", sensor.pk, range="-1' OR 1=1")


def test_a_sensor_without_readings_has_a_page() -> None:
    assert "No readings" in page(boss(), "sensors_sensor_change", make_sensor().pk)


def test_a_hostile_sensor_id_is_only_text() -> None:
    sensor = make_sensor(external_id=HOSTILE, unit="<b>", asset=make_asset(name=HOSTILE))
    make_readings(sensor, [1.0, 2.0], until=timezone.now())
    make_profile(sensor, last_time=timezone.now())
    client = boss()
    for text in (
        page(client, "sensors_sensor_changelist"),
        page(client, "sensors_sensor_change", sensor.pk),
    ):
        assert HOSTILE not in text
        assert "&lt;script&gt;alert(1)" in text


def test_changing_the_kind_notes_that_a_person_did() -> None:
    sensor = make_sensor(kind="other", kind_source="inferred")
    address = reverse("admin:sensors_sensor_change", args=[sensor.pk])
    boss().post(address, {"status": "active", "kind": "pressure", "metadata": "{}"})
    sensor.refresh_from_db()
    assert (sensor.kind, sensor.kind_source) == ("pressure", "person")


def test_limits_the_wrong_way_round_are_refused() -> None:
    sensor = make_sensor()
    address = reverse("admin:sensors_sensor_change", args=[sensor.pk])
    form = {"status": "active", "kind": "pressure", "metadata": "{}", "alarm_low": 9,
            "alarm_high": 1}  # fmt: skip
    answer = boss().post(address, form)
    assert answer.context["adminform"].form.errors["alarm_high"]


def test_retiring_keeps_the_sensor() -> None:
    sensor = make_sensor()
    form = {"action": "retire", "_selected_action": [sensor.pk]}
    boss().post(reverse("admin:sensors_sensor_changelist"), form)
    sensor.refresh_from_db()
    assert sensor.status == "retired"


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    form = {"name": "A", "slug": "a", "timezone": "Mars/Olympus"}
    answer = boss().post(reverse("admin:sensors_site_add"), form)
    assert "no IANA time zone" in answer.content.decode()

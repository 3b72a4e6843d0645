"""What needs a person: the dashboard, and the list and pages of sensors."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from mlops.models import Promotion
from sensors.models import QuarantinedReading, SensorProfile
from tests.anomalies.admin.workplace import boss
from tests.factories import NOW, make_anomaly, make_sensor, make_silence, make_site

pytestmark = pytest.mark.django_db


def test_the_page_of_a_sensor_links_its_anomalies() -> None:
    anomaly = make_anomaly()
    address = reverse("admin:sensors_sensor_change", args=[anomaly.sensor_id])
    text = boss().get(address).content.decode()
    assert reverse("admin:anomalies_anomaly_change", args=[anomaly.pk]) in text


def test_the_dashboard_shows_what_needs_a_person() -> None:
    make_anomaly(severity=5)
    make_anomaly(severity=5, verdict="confirmed")
    make_anomaly(severity=2, withdrawn_at=NOW)
    QuarantinedReading.objects.create(
        site=make_site(), category="quality", code="low", detail="", payload="{}",
        digest=b"1", source="http", received_at=timezone.now(),
    )  # fmt: skip
    for version in (1, 2):
        Promotion.objects.create(name="anomaly-vibration", version=version, promoted_at=NOW)
    board = boss().get(reverse("admin:index")).context["board"]
    assert board.severities == [(5, 1), (4, 0), (3, 0), (2, 0), (1, 0)]
    assert board.quarantined == 1
    assert board.champions == [("vibration", 2)]


def test_the_dashboard_costs_few_queries(django_assert_max_num_queries) -> None:
    client = boss()
    client.get(reverse("admin:index"))
    with django_assert_max_num_queries(12):
        client.get(reverse("admin:index"))


def test_a_silent_sensor_is_said_to_be_so_in_its_list_and_on_the_dashboard() -> None:
    now = timezone.now()
    talking, silent = make_sensor(), make_sensor()
    for sensor in (talking, silent):
        SensorProfile.objects.create(
            sensor=sensor, count=9, last_time=now - timedelta(hours=3), last_value=1, updated_at=now
        )
    make_silence(sensor=silent, last=now - timedelta(hours=3))
    client = boss()
    text = client.get(reverse("admin:sensors_sensor_changelist")).content.decode()
    assert text.count("silent for 3 h") == 1
    assert "1 silent" in client.get(reverse("admin:index")).content.decode()

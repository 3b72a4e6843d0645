"""Every sensor says which rung it is on and what the next one waits for."""

from datetime import UTC, datetime

import pytest
from rest_framework.test import APIClient

from anomalies.detection_policy import DetectionPolicy
from anomalies.ladder import step
from mlops import features
from mlops.models import Promotion
from sensors.models import SensorProfile
from tests.factories import make_person, make_sensor

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("readings", "champion", "rung", "next_rung", "missing"),
    [
        (0, False, "limits", "statistical", 30),
        (29, False, "limits", "statistical", 1),
        (30, False, "statistical", "local", 170),
        (200, False, "local", "champion", None),
        (30, True, "statistical", "champion", features.MIN_ROWS - 30),
        (features.MIN_ROWS, True, "champion", None, None),
    ],
)
def test_history_and_champions_decide_the_rung(
    readings: int, champion: bool, rung: str, next_rung: str | None, missing: int | None
) -> None:
    found = step(readings, champion=champion, policy=DetectionPolicy())
    assert (found.rung, found.next_rung, found.readings_missing) == (rung, next_rung, missing)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("readings", "rung"), [(0, "limits"), (50, "statistical"), (5000, "local")]
)
def test_the_api_reports_the_rung_and_the_time_to_the_next(readings: int, rung: str) -> None:
    sensor = make_sensor(kind="pressure")
    SensorProfile.objects.update_or_create(
        sensor=sensor, defaults={"count": readings, "interval_s": 60.0, "updated_at": NOW}
    )
    client = APIClient()
    client.force_authenticate(make_person(sensor.site))
    answer = client.get(f"/api/v1/sensors/{sensor.pk}/detection")
    assert answer.status_code == 200
    assert answer.json()["rung"] == rung
    missing = answer.json()["readings_missing"]
    assert answer.json()["seconds_missing"] == (missing * 60.0 if missing else None)


@pytest.mark.django_db
def test_a_promotion_for_the_kind_shortens_the_way_to_the_champion() -> None:
    sensor = make_sensor(kind="pressure")
    Promotion.objects.create(name="anomaly-pressure", version=1, promoted_at=NOW)
    client = APIClient()
    client.force_authenticate(make_person(sensor.site))
    answer = client.get(f"/api/v1/sensors/{sensor.pk}/detection").json()
    assert answer["next_rung"] == "statistical"
    SensorProfile.objects.update_or_create(
        sensor=sensor, defaults={"count": 500, "updated_at": NOW}
    )
    answer = client.get(f"/api/v1/sensors/{sensor.pk}/detection").json()
    assert (answer["rung"], answer["next_rung"]) == ("champion", None)


@pytest.mark.django_db
def test_another_site_is_not_told_about_a_sensor() -> None:
    sensor, stranger = make_sensor(), make_sensor()
    client = APIClient()
    client.force_authenticate(make_person(stranger.site))
    assert client.get(f"/api/v1/sensors/{sensor.pk}/detection").status_code == 404

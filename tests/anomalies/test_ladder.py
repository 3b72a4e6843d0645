"""Every sensor says which rung it is on and what the next one waits for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from rest_framework.test import APIClient

from anomalies.admin.sensors import scoring
from anomalies.detection_policy import DetectionPolicy
from anomalies.ladder import step
from anomalies.models import Anomaly
from mlops import features
from mlops.models import Promotion
from sensors.models import Sensor, SensorProfile
from sensors.series import to_datetime
from tests.anomalies.calendar import STEP, grid, noise, post, work
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


def detection_of(sensor: Sensor) -> Any:
    client = APIClient()
    client.force_authenticate(make_person(sensor.site))
    answer = client.get(f"/api/v1/sensors/{sensor.pk}/detection")
    assert answer.status_code == 200
    return answer.json()


def with_readings(count: int, **values: Any) -> Sensor:
    """A sensor that spoke every ten minutes until NOW, and what the worker's jobs made of it."""
    sensor: Sensor = make_sensor(kind="pressure", **values)
    if count:
        times = grid(NOW, count / 144) - (count - 1) * STEP
        post(sensor, times, 20 + noise(count, np.random.default_rng(5)).round(2))
        work()
    return Sensor.objects.get(pk=sensor.pk)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("readings", "rung", "next_rung", "missing", "minutes"),
    [
        (0, "limits", "statistical", "30 readings", None),
        (50, "statistical", "local", "150 readings", 1500),
        (5000, "local", "champion", "a model of kind pressure", None),
    ],
)
def test_a_sensor_with_so_many_readings_reports_its_rung_and_the_way_to_the_next(
    readings: int, rung: str, next_rung: str, missing: str, minutes: int | None
) -> None:
    sensor = with_readings(readings)
    found = detection_of(sensor)
    assert (found["rung"], found["next_rung"]) == (rung, next_rung)
    assert found["serving"] == (rung if readings else "")
    assert missing in found["missing"]
    expected = None if minutes is None else (NOW + timedelta(minutes=minutes)).isoformat()
    assert (found["expected_at"] or "").replace("Z", "+00:00") == (expected or "")
    shown = dict(scoring(sensor))
    assert next_rung in shown["next rung"]
    assert missing in shown["next rung"]
    assert ("expected by" in shown["next rung"]) == (minutes is not None)


@pytest.mark.django_db
def test_the_promise_is_kept_at_the_rhythm_observed_so_far() -> None:
    sensor = with_readings(50)
    promised = datetime.fromisoformat(detection_of(sensor)["expected_at"])
    times = grid(NOW, 150 / 144) + STEP
    post(sensor, times, np.full(150, 20.0))
    work()
    assert to_datetime(times[-1]) == promised
    assert detection_of(sensor)["rung"] == "local"
    assert detection_of(sensor)["serving"] == "statistical"  # its block began before
    post(sensor, grid(promised, 40 / 144) + STEP, np.full(40, 20.0))
    work()
    assert detection_of(sensor)["serving"] == "local"


@pytest.mark.django_db
def test_a_limit_that_is_passed_alarms_on_reading_1() -> None:
    sensor = make_sensor(kind="pressure", alarm_high=25.0)
    post(sensor, grid(NOW, 1 / 144), np.array([26.0]))
    work()
    anomaly = Anomaly.objects.standing().get(sensor=sensor)
    assert (anomaly.rung, anomaly.start, anomaly.observed) == ("limits", NOW, 26.0)
    assert detection_of(sensor)["rung"] == "limits"


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

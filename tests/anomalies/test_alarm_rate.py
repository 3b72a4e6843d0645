"""False alarms are a setting: thresholds follow from it, and what was given is shown beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.test import Client

from anomalies import achieved, alarm_rate
from anomalies.admin.sensors import scoring
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import DetectionLease
from bench.alarm_rate import rates
from sensors.models import Sensor, SensorProfile
from tests.factories import make_anomaly, make_person, make_sensor, make_silence, make_site

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_healthy_sensors_alarm_about_as_often_as_they_may() -> None:
    """Ten of them over 60 days each: a reduced `python -m bench.alarm_rate`."""
    found = rates(10, seed=4001)
    given = {key: float(np.mean(each)) for key, each in found.items()}
    assert 1.5 < given["local", 3.0] < 6.0
    assert 1.5 < given["champion", 3.0] < 6.0
    for rung in ("local", "champion"):
        assert given[rung, 0.5] < given[rung, 1.0] < given[rung, 3.0]


def test_a_reading_must_be_rarer_the_more_of_them_come_and_the_fewer_alarms_are_borne() -> None:
    def level(interval_s: int, false_alarms: float) -> float:
        times = np.datetime64("2026-01-01", "us") + np.arange(80) * np.timedelta64(interval_s, "s")
        return float(alarm_rate.own_level(alarm_rate.decades(times, 0, false_alarms))[-1])

    assert level(60, 1.0) > level(600, 1.0) > level(3600, 1.0)
    assert level(600, 0.1) > level(600, 1.0) > level(600, 10.0)
    assert level(600, 1.0) == pytest.approx(alarm_rate.OWN_BASE)


def test_the_usual_interval_is_that_of_the_readings_before_and_no_gap_moves_it() -> None:
    times = np.datetime64("2026-01-01", "us") + np.arange(200) * np.timedelta64(60, "s")
    times[100:] += np.timedelta64(2, "D")
    whole = alarm_rate.usual_intervals(times, 0)
    assert (whole[1:] == 60.0).all()
    np.testing.assert_array_equal(alarm_rate.usual_intervals(times, 150), whole[150:])
    np.testing.assert_array_equal(alarm_rate.usual_intervals(times[:120], 0), whole[:120])


@pytest.mark.django_db
def test_a_sensor_states_what_it_bears_before_its_kind_and_its_site(settings: object) -> None:
    def promised(sensor: Sensor) -> float:
        return achieved.bearing(sensor, DetectionPolicy()).false_alarms

    site = make_site(false_alarms=4.0)
    sensor = make_sensor(site=site, kind="vibration")
    assert promised(make_sensor()) == 1.0
    assert promised(sensor) == 4.0
    settings.FALSE_ALARMS_BY_KIND = {"vibration": 3.0}  # type: ignore[attr-defined]
    assert promised(sensor) == 3.0
    sensor.false_alarms = 2.0
    assert promised(sensor) == 2.0


@pytest.mark.django_db
def test_the_api_shows_what_was_given_beside_what_was_promised(client: Client) -> None:
    sensor = make_sensor(false_alarms=0.5)
    url = f"/api/v1/sensors/{sensor.pk}/detection"
    client.force_login(make_person(sensor.site))
    assert client.get(url).json()["false_alarms"] == {"promised": 0.5, "achieved": None, "days": 0}
    SensorProfile.objects.create(
        sensor=sensor, first_time=NOW - timedelta(days=15), updated_at=NOW, count=2000
    )
    DetectionLease.objects.create(sensor=sensor, scored_until=NOW)
    for days, values in enumerate([{}, {"verdict": "confirmed"}, {"rung": "limits"}, {}]):
        make_anomaly(sensor=sensor, start=NOW - timedelta(days=days + 1), **values)
    make_silence(sensor=sensor, last=NOW - timedelta(days=9))
    found = client.get(url).json()["false_alarms"]
    assert found == {"promised": 0.5, "achieved": 4.0, "days": 15.0}
    shown = dict(scoring(Sensor.objects.get(pk=sensor.pk)))
    assert shown["false alarms in 30 days"] == "0.5 promised, 4 given by the last 15 days"
    client.force_login(make_person(make_site()))
    assert client.get(url).status_code == 404

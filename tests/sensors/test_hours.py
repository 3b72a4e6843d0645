"""The hours of many sensors, exact at any moment, whatever of them was rolled up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sensors import buckets, rollups
from sensors.hours import hours_of
from sensors.models import RollupNote, Sensor, SensorProfile
from sensors.slices import Buckets
from tests.factories import make_sensor
from tests.sensors.rolled import expected_hours, send

pytestmark = pytest.mark.django_db

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def feed(sensor: Sensor, hours: range) -> None:
    values = np.random.default_rng(sensor.pk).normal(40, 1, 6 * hours.stop).round(2).tolist()
    times = [FIRST + timedelta(minutes=10 * i) for i in range(6 * hours.start, 6 * hours.stop)]
    send(sensor, [(time, values[i]) for i, time in enumerate(times, start=6 * hours.start)])


def fleet(n: int) -> list[Sensor]:
    """One rolled up, one with hours that wait, one that waits as a whole; and so on."""
    sensors = [make_sensor(kind="temperature", external_id=f"s{i}") for i in range(n)]
    for i, sensor in enumerate(sensors):
        if i % 3 < 2:
            feed(sensor, range(8))
    rollups.roll_up()
    for i, sensor in enumerate(sensors):
        if i % 3 > 0:
            feed(sensor, range(8 if i % 3 == 1 else 0, 12))
    return sensors


def agrees(found: Buckets, sensor: Sensor, since: datetime, until: datetime) -> bool:
    expected = {
        buckets.to_us(time): hour
        for time, hour in sorted(expected_hours(sensor).items())
        if since <= time < until
    }
    return (
        found.begins.tolist() == list(expected)
        and found.minimum.tolist() == [hour["minimum"] for hour in expected.values()]
        and found.maximum.tolist() == [hour["maximum"] for hour in expected.values()]
        and found.count.tolist() == [hour["count"] for hour in expected.values()]
        and np.allclose(found.mean, [hour["mean"] for hour in expected.values()], rtol=1e-12)
    )


def test_each_sensor_has_the_hours_of_its_own_range() -> None:
    sensors = fleet(6)
    asked = [
        (sensor.pk, FIRST + (i % 2) * HOUR, FIRST + (20 - 3 * i) * HOUR)
        for i, sensor in enumerate(sensors)
    ]
    for sensor, (_, since, until), found in zip(sensors, asked, hours_of(asked), strict=True):
        assert agrees(found, sensor, since, until)
    assert RollupNote.objects.exists()  # too little to be rolled up for it


def test_what_retention_left_to_the_roll_ups_is_not_asked_of_the_readings() -> None:
    sensor = fleet(2)[1]
    SensorProfile.objects.filter(sensor=sensor).update(kept_from=FIRST + 9 * HOUR)
    [found] = hours_of([(sensor.pk, FIRST, FIRST + 20 * HOUR)])
    known = [time for time in expected_hours(sensor) if time != FIRST + 8 * HOUR]
    assert found.begins.tolist() == [buckets.to_us(time) for time in sorted(known)]


def test_a_backlog_of_days_is_rolled_up_at_once() -> None:
    sensor = make_sensor(kind="temperature")
    feed(sensor, range(50))
    [found] = hours_of([(sensor.pk, FIRST, FIRST + 50 * HOUR)])
    assert agrees(found, sensor, FIRST, FIRST + 50 * HOUR)
    assert not RollupNote.objects.exists()


def test_many_sensors_take_as_many_statements_as_two() -> None:
    sensors = fleet(9)
    counts = []
    for n in (3, 9):
        with CaptureQueriesContext(connection) as captured:
            hours_of([(sensor.pk, FIRST, FIRST + 12 * HOUR) for sensor in sensors[:n]])
        counts.append(len(captured))
    assert counts[0] == counts[1] > 0


def test_nothing_asked_is_nothing_found() -> None:
    assert hours_of([]) == []

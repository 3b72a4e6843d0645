"""A pass costs what its readings cost: no round trips for each sensor, nothing computed twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from anomalies import detection
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly
from anomalies.scenes import Known
from mlops import features
from sensors.models import Reading, ScoringNote, Sensor
from sensors.series import Series
from tests.factories import make_sensor

NOW = datetime(2026, 3, 8, tzinfo=UTC)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)


def store(sensors: Sequence[Sensor], rows: range) -> None:
    for seed, sensor in enumerate(sensors):
        values = np.random.default_rng(seed).uniform(39, 41, rows.stop)
        Reading.objects.bulk_create(
            Reading(sensor=sensor, time=FIRST + STEP * row, value=values[row], quality=1.0)
            for row in rows
        )
        since, until = FIRST + STEP * rows.start, FIRST + STEP * (rows.stop - 1)
        ScoringNote.objects.create(sensor=sensor, since=since, until=until)


def statements_of_a_pass(sensors: int) -> int:
    found = [make_sensor(kind="pressure") for _ in range(sensors)]
    for rows in (range(290), range(290, 300)):
        store(found, rows)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert detection.drain(now=NOW, policy=DetectionPolicy()).sensors == sensors
    assert not Anomaly.objects.exists()
    return len(captured)


@pytest.mark.django_db
def test_a_pass_over_twelve_quiet_sensors_makes_as_many_statements_as_one_over_two():
    assert statements_of_a_pass(12) == statements_of_a_pass(2)


def series(n: int, *, odd: int | None = None) -> Series:
    times = np.datetime64("2026-01-01", "us") + np.arange(n) * np.timedelta64(600, "s")
    values = np.random.default_rng(0).normal(size=n)
    if odd is not None:
        values[odd] += 1.0
    return Series(times, values, np.ones(n))


def known(first: int, n: int = 1_500) -> Known:
    whole = series(n)
    return Known(whole, first, features.compute(whole.times, whole.values, first))


@pytest.mark.parametrize(("begin", "first"), [(0, 0), (0, 100), (200, 640), (700, 700)])
def test_features_that_are_known_are_those_that_would_be_computed(begin: int, first: int):
    part = series(1_500)[begin:]
    expected = features.compute(part.times, part.values, first)
    np.testing.assert_array_equal(known(0).of(part, first), expected)


def test_features_of_other_readings_are_not_known():
    whole = known(700)
    assert whole.of(series(1_500)[100:], 640) is not None
    assert whole.of(series(1_500)[:1_000], 699) is None  # a row before those computed
    assert whole.of(series(1_500)[400:], 639 - 1) is None  # a context that is cut
    assert whole.of(series(1_500, odd=200)[100:], 640) is None  # a value in the context
    assert whole.of(series(1_501)[100:], 640) is None  # a reading that came since
    assert whole.of(series(0), 0) is None

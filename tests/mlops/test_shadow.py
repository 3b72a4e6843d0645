"""A challenger scores live readings beside the champion, raises nothing, and is told of."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from pytest_django import Settings

from anomalies import detection
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly
from mlops import registry, serving, shadow
from mlops.models import Promotion, ShadowScores
from sensors.models import ScoringNote, Sensor
from sensors.series import to_datetime
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW, make_sensor
from tests.mlops.makers import INTERVAL, fitted, healthy, register, stored

pytestmark = pytest.mark.django_db
NAME = "anomaly-vibration"


def sensor_that_shook() -> Sensor:
    times, values = healthy(700)
    values = values.copy()
    values[600:620] += 12 * np.std(values)
    return stored(make_sensor(kind="vibration"), times, values)


def drained(sensor: Sensor) -> list[dict[str, Any]]:
    """What stands after the last hundred readings were scored."""
    step = to_datetime(np.datetime64(0, "us") + INTERVAL) - to_datetime(np.datetime64(0, "us"))
    ScoringNote.objects.create(sensor=sensor, since=NOW - 100 * step, until=NOW)
    while detection.drain(now=NOW, policy=DetectionPolicy()).sensors:
        pass
    columns = ("start", "peak", "end", "score", "rung", "model_version")
    found = list(
        Anomaly.objects.standing().filter(sensor=sensor).order_by("start").values(*columns)
    )
    Anomaly.objects.filter(sensor=sensor).delete()
    return found


@pytest.fixture
def champion(mlflow: MlflowServer) -> int:
    row = register(fitted("tails"), name=NAME)
    registry.set_alias(NAME, registry.CHAMPION, row.version)
    Promotion.objects.create(name=NAME, version=row.version, promoted_at=NOW)
    return row.version


def challenge() -> int:
    row = register(fitted("isolation_forest"), name=NAME)
    registry.set_alias(NAME, registry.CHALLENGER, row.version)
    serving.load(NAME, row.version)  # as `warm_models` does
    return row.version


def test_a_challenger_scores_beside_the_champion_and_changes_nothing(champion: int) -> None:
    sensor = sensor_that_shook()
    alone = drained(sensor)
    assert alone
    assert not ShadowScores.objects.exists()
    version = challenge()
    assert drained(sensor) == alone
    row = ShadowScores.objects.get()
    assert (row.sensor_id, row.version, row.champion_version) == (sensor.pk, version, champion)
    assert len(row.times) == len(row.champion_scores) == len(row.challenger_scores)
    assert len(row.times) >= 100
    found = shadow.agreement(NAME, version)
    assert (found.readings, found.sensors) == (len(row.times), 1)
    assert found.champion >= 1
    out = StringIO()
    call_command("models", "show", NAME, stdout=out)
    assert f"beside the champion on {found.readings} live readings" in out.getvalue()
    drained(sensor)
    assert shadow.agreement(NAME, version) == found  # what was scored twice counts once


def test_a_challenger_that_cannot_be_had_costs_nothing(champion: int, settings: Settings) -> None:
    sensor = sensor_that_shook()
    alone = drained(sensor)
    row = register(name=NAME, artifact=b"junk")
    registry.set_alias(NAME, registry.CHALLENGER, row.version)
    assert drained(sensor) == alone
    assert not ShadowScores.objects.exists()


def test_scores_are_forgotten_after_their_time(champion: int, settings: Settings) -> None:
    sensor = sensor_that_shook()
    challenge()
    drained(sensor)
    settings.SHADOW_RETENTION_DAYS = 14
    assert shadow.prune(now=NOW + timedelta(days=13)) == 0
    assert shadow.prune(now=NOW + timedelta(days=15)) == 1

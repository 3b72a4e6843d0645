"""An anomaly outlives its readings, and says so when it is asked to prove itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from anomalies import detection
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly
from mlops import serving
from mlops.serving import NoChampion
from sensors.models import Reading, ScoringNote, Sensor, SensorProfile
from tests.factories import NOW, make_readings, make_sensor

pytestmark = pytest.mark.django_db


@pytest.fixture
def anomaly(monkeypatch: pytest.MonkeyPatch) -> Anomaly:
    """A reading far above the alarm limit after 600 ordinary ones."""
    monkeypatch.setattr(serving, "champions_for", no_champions)
    sensor = make_sensor(alarm_high=100.0)
    rng = np.random.default_rng(3)
    rows = make_readings(sensor, [*rng.normal(50, 1, 600).tolist(), 500.0])
    SensorProfile.objects.create(sensor=sensor, first_time=rows[0].time, updated_at=NOW)
    ScoringNote.objects.create(sensor=sensor, since=rows[0].time, until=rows[-1].time)
    while detection.drain(now=NOW, policy=DetectionPolicy()).sensors:
        pass
    return Anomaly.objects.get(peak=NOW)


def no_champions(sensors: Any) -> dict[int, NoChampion]:
    return {sensor: NoChampion("there is none", expected=False) for sensor, _ in sensors}


def drop(sensor: Sensor, before: datetime) -> None:
    Reading.objects.filter(sensor=sensor, time__lt=before).delete()
    SensorProfile.objects.filter(sensor=sensor).update(kept_from=before)


def explain(anomaly: Anomaly) -> str:
    out = StringIO()
    call_command("explain_anomaly", str(anomaly.pk), stdout=out)
    return out.getvalue()


def test_it_explains_itself_while_its_readings_are_there(anomaly: Anomaly) -> None:
    assert "Computed again" in explain(anomaly)


@pytest.mark.parametrize("age", [timedelta(hours=5), timedelta(hours=-1)])
def test_it_says_that_its_readings_were_dropped(anomaly: Anomaly, age: timedelta) -> None:
    """Some of those before it, or its own too."""
    drop(anomaly.sensor, NOW - age)
    with pytest.raises(CommandError, match=r"were dropped by retention; .* kept from 2026-03-01"):
        explain(anomaly)


def test_what_was_dropped_before_its_context_is_no_matter(anomaly: Anomaly) -> None:
    make_readings(anomaly.sensor, [1.0] * 3, until=NOW - timedelta(days=300))
    drop(anomaly.sensor, NOW - timedelta(days=200))
    assert "Computed again" in explain(anomaly)

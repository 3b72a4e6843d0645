"""The champion from MLflow is what scores; while MLflow is away a lower rung does, by name; when it
is back, the champion scores again. On a real MLflow server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import numpy as np
import orjson
import pytest
from django.core.management import call_command
from pytest_django import Settings
from rest_framework.test import APIClient

from anomalies import detection
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly
from mlops import serving
from mlops.models import Promotion
from mlops.promotion import promote
from mlops.registry import CHALLENGER, aliases_of
from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.generator import DEFAULT_PLAN, labelled_stream
from sensors.models import ScoringNote, Sensor
from sensors.series import to_datetime
from smartmaint.services.mlflow import MlflowServer
from tests.factories import make_person, make_sensor, make_site

pytestmark = pytest.mark.django_db

PLAN = replace(DEFAULT_PLAN, slots=760, history=560)
UNTIL = np.datetime64("2026-03-01T00:00", "us")
POLICY = DetectionPolicy()
KIND = "humidity"
NOW = to_datetime(UNTIL)


@dataclass
class Plant:
    """Three sensors of a kind with their history stored and a champion trained on it; the rows of
    the faulty period that follows are still to be posted."""

    sensors: list[Sensor]
    later: dict[int, list[dict[str, Any]]]

    def post(self, sensor: Sensor) -> None:
        _ingest(sensor, self.later[sensor.pk], now=NOW)


def _ingest(sensor: Sensor, rows: list[dict[str, Any]], *, now: datetime) -> None:
    ingest(from_json(orjson.dumps(rows)), site=sensor.site, source="test", now=now)


def _rows(sensor: Sensor, seed: int, sorts: tuple[str, ...]) -> tuple[list[Any], list[Any]]:
    stream = labelled_stream(KIND, sorts, until=UNTIL, rng=np.random.default_rng(seed), plan=PLAN)
    times, values = stream.in_event_order()
    rows = [
        {"sensor": sensor.external_id, "time": f"{time}Z", "value": float(value)}
        for time, value in zip(times, values, strict=True)
    ]
    return rows[: stream.history], rows[stream.history :]


def drain_all(now: datetime = NOW) -> None:
    while detection.drain(now=now, policy=POLICY).sensors:
        pass


@pytest.fixture
def registry(mlflow_server: MlflowServer, settings: Settings, tmp_path: Any) -> Iterator[Any]:
    mlflow_server.start()
    settings.MLFLOW_TRACKING_URI = mlflow_server.uri
    settings.MODEL_CACHE_DIR = tmp_path / "models"
    settings.MODEL_PATIENCE_SECONDS = 60  # a busy machine is no outage
    serving.forget()
    yield mlflow_server
    mlflow_server.start()
    serving.forget()


@pytest.fixture
def plant(registry: MlflowServer) -> Plant:
    site = make_site()
    sensors = [make_sensor(site=site, kind=KIND, unit="%") for _ in range(3)]
    later = {}
    for seed, sensor in enumerate(sensors, start=110):
        history, later[sensor.pk] = _rows(sensor, seed, ("level_shift", "spike"))
        _ingest(sensor, history, now=NOW)
    ScoringNote.objects.all().delete()
    call_command("train", "anomaly", "--fast", stdout=StringIO())
    name = f"anomaly-{KIND}"
    if not Promotion.objects.filter(name=name).exists():
        # Of so few readings little is learnt, and the gate may keep it out.
        best = aliases_of(name)[CHALLENGER]
        promote(name, best, reason="a champion to lose", now=NOW, force=True)
    return Plant(sensors, later)


def detail_of(anomaly: Anomaly) -> dict[str, Any]:
    client = APIClient()
    client.force_authenticate(make_person(anomaly.sensor.site))
    return client.get(f"/api/v1/anomalies/{anomaly.pk}").json()


def standing(sensor: Sensor) -> list[Anomaly]:
    return list(Anomaly.objects.standing().filter(sensor=sensor).order_by("start"))


def test_champion_outage_and_return(plant: Plant, registry: MlflowServer) -> None:
    champion = Promotion.objects.get(name=f"anomaly-{KIND}")
    by_champion, in_outage, control = plant.sensors

    plant.post(by_champion)
    drain_all()
    found = standing(by_champion)
    assert found
    shown = detail_of(found[0])
    assert shown["rung"] == "champion"
    assert shown["model_name"] == champion.name
    assert shown["model_version"] == champion.version
    assert shown["detector"]

    registry.stop()
    plant.post(in_outage)
    drain_all()
    assert standing(in_outage)
    assert {detail_of(a)["rung"] for a in standing(in_outage)} <= {"local", "statistical"}
    assert {detail_of(a)["model_name"] for a in standing(in_outage)} == {""}
    assert ScoringNote.objects.filter(sensor=in_outage, held=True).exists()

    registry.start()
    serving.forget()  # the breaker's cool-down, without waiting for it
    assert detection.release_held() == 1
    drain_all()
    again = standing(in_outage)
    assert again
    assert {detail_of(a)["rung"] for a in again} == {"champion"}
    assert {a.model_version for a in again} == {champion.version}
    assert not ScoringNote.objects.filter(sensor=in_outage).exists()
    plant.post(control)
    drain_all()
    assert {a.rung for a in standing(control)} == {"champion"}


def test_an_anomaly_explains_itself_to_the_bit_after_another_version_was_promoted(
    plant: Plant,
) -> None:
    sensor = plant.sensors[0]
    plant.post(sensor)
    drain_all()
    anomaly = standing(sensor)[0]
    call_command("train", "anomaly", "--fast", "--seed", "7", stdout=StringIO())
    name = f"anomaly-{KIND}"
    newest = Promotion.objects.filter(name=name).first()
    assert newest is not None
    other = next(v for v in range(newest.version, 0, -1) if v != anomaly.model_version)
    promote(name, other, reason="test", now=NOW + timedelta(hours=1))
    serving.forget()
    out = StringIO()
    call_command("explain_anomaly", str(anomaly.pk), "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert told["model_version"] == anomaly.model_version != other
    assert told["difference"] <= 1e-9
    assert told["readings_changed"] is False

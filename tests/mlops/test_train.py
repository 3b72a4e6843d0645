"""`manage.py train` and `manage.py models`, with a real registry."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from mlops import registry, serving
from mlops.features import features_hash
from mlops.models import ModelApproval, Promotion
from mlops.pipelines import NoData, Order, anomaly, synthetic_validation
from mlops.serving import Champion, NoChampion
from sensors.generator import RANGES
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW, make_sensor
from tests.mlops.makers import fitted, healthy, new_name, register, stored

pytestmark = pytest.mark.django_db


def run(*line: str) -> str:
    out = StringIO()
    call_command(*line, stdout=out)
    return out.getvalue()


def test_a_kind_with_readings_gets_a_champion_that_serves(mlflow: MlflowServer) -> None:
    sensor = stored(make_sensor(kind="pressure"), *healthy(700, "pressure"))
    out = run("train", "anomaly", "--fast")
    served = serving.champions_for([(sensor.pk, "pressure")])[sensor.pk]
    assert isinstance(served, Champion)
    assert served.name == "anomaly-pressure"
    assert out.count("champion") == 1
    assert ModelApproval.objects.filter(name="anomaly-pressure").count() == 3
    found = {each["tags"]["detector"]: each for each in registry.versions(["anomaly-pressure"])}
    assert found[served.detector.name]["aliases"] == ["champion"]
    assert sum(each["aliases"] == ["challenger"] for each in found.values()) == 1
    assert found["tails"]["tags"]["sensor_kind"] == "pressure"
    assert found["tails"]["tags"]["features"] == features_hash()


def test_without_promotion_the_champion_stays(mlflow: MlflowServer) -> None:
    sensor = stored(make_sensor(kind="voltage"), *healthy(700, "voltage"))
    out = run("train", "anomaly", "--fast", "--no-promote")
    assert not Promotion.objects.exists()
    assert isinstance(serving.champions_for([(sensor.pk, "voltage")])[sensor.pk], NoChampion)
    listed = run("models", "list")
    assert "anomaly-voltage" in listed
    assert "champion" not in out + listed


def test_generated_data_is_said_to_be_generated(mlflow: MlflowServer) -> None:
    trained = {
        each.detector: each
        for each in synthetic_validation.run(Order(now=NOW, fast=True, promote=False))
    }
    assert sorted(trained) == ["isolation_forest", "lightgbm", "random_forest"]
    assert {row.dataset for row in ModelApproval.objects.all()} == {"synthetic"}
    assert trained["lightgbm"].metrics["held_back_f1"] > 0.5
    detector = serving.load("synthetic-validation", trained["lightgbm"].version)
    assert detector.name == "lightgbm"


def test_versions_are_listed_shown_promoted_and_rolled_back(mlflow: MlflowServer) -> None:
    name = new_name()
    for detector in ("tails", "mahalanobis"):
        register(fitted(detector), name=name)
    assert "v1 is champion" in run("models", "promote", name, "1")
    assert "v2 is champion" in run("models", "promote", name, "2")
    assert "v1 is champion again" in run("models", "rollback", name)
    assert "@champion" in run("models", "show", name)
    with pytest.raises(CommandError, match="no champion before"):
        run("models", "rollback", name)


def test_nothing_to_train_on_is_said(mlflow: MlflowServer) -> None:
    with pytest.raises(CommandError, match="no kind has enough readings"):
        run("train", "anomaly")


def test_too_few_readings_are_said_with_their_number(mlflow: MlflowServer) -> None:
    stored(make_sensor(kind="humidity"), *healthy(300, "humidity"))
    said: list[str] = []
    with pytest.raises(NoData):
        anomaly.run(Order(now=NOW, say=said.append))
    assert "humidity: 78 rows to fit" in said[0]


def test_a_registry_that_is_away_is_said_and_nothing_is_promoted(settings: Settings) -> None:
    stored(make_sensor(kind="voltage"), *healthy(700, "voltage"))
    settings.MLFLOW_TRACKING_URI = "http://127.0.0.1:9"
    with pytest.raises(CommandError, match="Is MLflow running"):
        run("train", "anomaly", "--fast")
    assert not ModelApproval.objects.exists()
    assert not Promotion.objects.exists()


def test_a_model_that_does_not_exist_is_said() -> None:
    with pytest.raises(CommandError, match="no model named 'x'"):
        run("models", "show", "x")


def test_streams_are_split_whole() -> None:
    streams = synthetic_validation.generate(Order(now=NOW, fast=True))
    split = synthetic_validation.split_by_stream(streams)
    parts = [split.fit, split.threshold, split.judge]
    assert [len(part) for part in parts] == [15, 5, 5]
    assert len({id(stream) for part in parts for stream in part}) == len(streams)
    assert {stream.kind for stream in split.judge} == set(RANGES)

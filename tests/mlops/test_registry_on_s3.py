"""Artifacts in a bucket, over real HTTP: fetched by MLflow for us, and straight from the bucket."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import pytest
from pytest_django import Settings

from mlops import artifacts, registry, serving
from mlops.models import Promotion
from mlops.pipelines import Order, rul
from mlops.predictor import Predictor
from mlops.serving import Champion, NoChampion
from smartmaint.services import databases
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW
from tests.mlops.makers import fitted, new_name, register
from tests.services_fixtures import S3

pytestmark = pytest.mark.django_db


@pytest.fixture
def on_s3(
    s3_server: S3,
    tmp_path_factory: pytest.TempPathFactory,
    settings: Settings,
    model_cache: object,
) -> Iterator[S3]:
    """An MLflow server that keeps artifacts in the bucket and hands them through."""
    directory = tmp_path_factory.mktemp("mlflow-s3")
    store = databases.renamed(os.environ["DATABASE_URL"], f"test_mlflow_s3_{os.getpid()}")
    databases.recreate(store)
    server = MlflowServer(
        store=databases.for_sqlalchemy(store),
        artifacts=f"s3://{s3_server.bucket}/mlflow",
        log=directory / "mlflow.log",
        environ=os.environ,
    )
    server.start()
    settings.MLFLOW_TRACKING_URI = server.uri
    yield s3_server
    server.stop()
    databases.drop(store)


def test_a_champion_in_a_bucket_is_served_and_one_deleted_there_is_not(on_s3: S3) -> None:
    row = register(name=new_name())
    registry.set_alias(row.name, registry.CHAMPION, row.version)
    Promotion.objects.create(name=row.name, version=row.version, promoted_at=NOW)
    kind = row.name.removeprefix("anomaly-")
    assert isinstance(serving.champions_for([(1, kind)])[1], Champion)
    _empty(on_s3)
    again = register(name=row.name)
    _empty(on_s3)
    registry.set_alias(row.name, registry.CHAMPION, again.version)
    serving.forget()
    found = serving.champions_for([(1, kind)])[1]
    assert isinstance(found, NoChampion)
    assert found.expected


def test_a_worker_on_an_empty_disk_loads_every_champion_of_a_pipeline(
    on_s3: S3, model_cache: Path
) -> None:
    rul.run(Order(now=NOW, fast=True))
    shutil.rmtree(model_cache, ignore_errors=True)
    serving.forget()
    for made in Promotion.objects.all():
        model = serving.load(made.name)
        assert isinstance(model, Predictor)
        assert np.isfinite(model.predict(np.zeros((1, len(model.features_))))).all()
    objects = boto3.resource("s3", endpoint_url=on_s3.url).Bucket(on_s3.bucket).objects
    keys = [each.key for each in objects.filter(Prefix="mlflow/")]
    assert sum(key.endswith("detector.zip") for key in keys) == 2
    assert sum(key.endswith("MODEL_CARD.md") for key in keys) == 2


def test_an_artifact_is_read_straight_from_the_bucket(s3_server: S3) -> None:
    packed = artifacts.pack(fitted())
    client = boto3.client("s3", endpoint_url=s3_server.url)
    client.put_object(Bucket=s3_server.bucket, Key="a/model/detector.zip", Body=packed)
    assert registry.fetch(f"s3://{s3_server.bucket}/a/model") == packed
    with pytest.raises(registry.NotRegistered):
        registry.fetch(f"s3://{s3_server.bucket}/b/model")


def test_a_bucket_that_does_not_answer_is_the_registry_away(
    s3_server: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(registry.RegistryAway, match="does not answer"):
        registry.fetch(f"s3://{s3_server.bucket}/a/model")


def _empty(s3: S3) -> None:
    bucket = boto3.resource("s3", endpoint_url=s3.url).Bucket(s3.bucket)
    bucket.objects.filter(Prefix="mlflow/").delete()

"""MLflow stopped, the bucket slow or refusing, artifacts that were touched: on a real MLflow server
with a real S3 server behind a real slow one."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from anomalies import detection
from anomalies.models import DetectionLease
from mlops import artifacts, fetching, promotion, registry, serving
from mlops.models import Fallback, ModelApproval, Promotion, ServedModel
from mlops.serving import Champion, NoChampion, champions_for
from sensors.models import ScoringNote, Sensor
from smartmaint.services import databases
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW, make_person, make_sensor
from tests.mlops.makers import fitted, healthy, new_name, register, stored
from tests.mlops.reworking import Change, reworked
from tests.mlops.slow_http import Front, front_of
from tests.services_fixtures import S3

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def bucket(s3_server: S3) -> Iterator[Front]:
    with front_of(s3_server.url) as front:
        yield front


@pytest.fixture(scope="module")
def server(
    bucket: Front, s3_server: S3, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MlflowServer]:
    """MLflow, which hands artifacts through from the bucket."""
    store = databases.renamed(os.environ["DATABASE_URL"], f"test_mlflow_slow_{os.getpid()}")
    databases.recreate(store)
    own = {"MLFLOW_S3_ENDPOINT_URL": bucket.url, "AWS_ENDPOINT_URL_S3": bucket.url}
    server = MlflowServer(
        store=databases.for_sqlalchemy(store),
        artifacts=f"s3://{s3_server.bucket}/slow",
        log=tmp_path_factory.mktemp("mlflow-slow") / "mlflow.log",
        environ={**os.environ, **own},
    )
    server.start()
    yield server
    server.stop()
    databases.drop(store)


@pytest.fixture
def store(
    server: MlflowServer, bucket: Front, settings: Settings, model_cache: Path
) -> Iterator[Front]:
    server.start()
    settings.MLFLOW_TRACKING_URI = server.uri
    settings.REGISTRY_TIMEOUT_SECONDS = settings.MODEL_PATIENCE_SECONDS = 60
    yield bucket
    bucket.clear()
    server.start()


def champion(name: str, **values: Any) -> ModelApproval:
    """A version under the alias, whatever its bytes."""
    row = register(name=name, **values)
    registry.set_alias(name, registry.CHAMPION, row.version)
    at = NOW + timedelta(minutes=row.version)
    Promotion.objects.create(name=name, version=row.version, promoted_at=at)
    return row


def served(name: str) -> Champion | NoChampion:
    return champions_for([(1, name.removeprefix("anomaly-"))])[1]


def as_a_new_worker(cache: Path) -> None:
    """With nothing in memory nor on disk."""
    shutil.rmtree(cache, ignore_errors=True)
    serving.forget()


def stating(**said: Any) -> Change:
    def change(manifest: dict[str, Any], _contents: dict[str, bytes]) -> None:
        manifest.update(said)

    return change


def newer_library(manifest: dict[str, Any], _contents: dict[str, bytes]) -> None:
    manifest["libraries"]["scikit-learn"] = "99.0"


def of_another_type(_manifest: dict[str, Any], contents: dict[str, bytes]) -> None:
    import skops.io
    from sklearn.linear_model import SGDOneClassSVM

    contents[artifacts.SKOPS] = skops.io.dumps({"model": SGDOneClassSVM})


def pickled(_manifest: dict[str, Any], contents: dict[str, bytes]) -> None:
    contents[artifacts.SKOPS] = pickle.dumps(fitted().pipeline)


def approved_as_it_is(change: Change) -> Callable[[bytes], dict[str, bytes]]:
    """What a person let through by mistake; the loader still does not."""
    return lambda packed: {"artifact": reworked(packed, change)}


TOUCHED: dict[str, tuple[Callable[[bytes], dict[str, bytes]], str]] = {
    "tampered": (lambda p: {"artifact": p[:-9] + b"!" + p[-8:], "approved": p}, "not the one"),
    "truncated": (lambda p: {"artifact": p[: len(p) // 2], "approved": p}, "not the one"),
    "pickled": (lambda _: {"artifact": pickle.dumps(fitted())}, "no zip"),
    "pickle inside": (approved_as_it_is(pickled), "cannot be read"),
    "wrong type": (approved_as_it_is(of_another_type), "not loaded"),
    "wrong features": (approved_as_it_is(stating(features=["rms"])), "features"),
    "newer library": (approved_as_it_is(newer_library), "scikit-learn"),
}


@pytest.mark.parametrize("sort", TOUCHED)
def test_what_was_touched_never_loads_and_the_last_good_one_serves(
    sort: str, store: Front, model_cache: Path
) -> None:
    name = new_name()
    champion(name)
    make, words = TOUCHED[sort]
    champion(name, **make(artifacts.pack(fitted("mahalanobis"))))
    as_a_new_worker(model_cache)
    found = served(name)
    assert isinstance(found, Champion)
    assert (found.version, found.detector.name, found.expected) == (1, "tails", True)
    assert words in found.instead_of
    row = ServedModel.objects.get(name=name)
    assert (row.version, row.failures) == (2, 1)
    assert words in row.reason
    out = StringIO()
    call_command("models", "show", name, stdout=out)
    assert words in out.getvalue()


def test_who_has_no_good_one_before_falls_to_a_lower_rung(store: Front) -> None:
    name = new_name()
    champion(name, artifact=b"junk")
    found = served(name)
    assert isinstance(found, NoChampion)
    assert found.expected


@pytest.fixture
def hasty(store: Front, settings: Settings, model_cache: Path) -> str:
    """A champion that no machine has on disk, and the patience of production; its name."""
    name = new_name()
    champion(name)
    as_a_new_worker(model_cache)
    settings.MODEL_PATIENCE_SECONDS = 0.4
    return name


def seconds(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def is_away(name: str, words: str) -> None:
    found = served(name)
    assert isinstance(found, NoChampion)
    assert found.expected
    assert words in found.reason


def test_a_bucket_that_takes_half_a_minute_costs_less_than_a_second_and_comes_in_time(
    hasty: str, store: Front, settings: Settings, model_cache: Path
) -> None:
    store.delay_s = 30
    assert seconds(lambda: is_away(hasty, "does not answer")) < 1
    assert seconds(lambda: is_away(hasty, "not being asked")) < 0.5
    store.clear()  # it answers now; who went on behind puts the artifact on disk
    until = time.monotonic() + 60
    while not list(model_cache.glob("*.zip")) and time.monotonic() < until:
        time.sleep(0.1)
    settings.MODEL_PATIENCE_SECONDS = 60
    assert isinstance(served(hasty), Champion)


def test_a_whole_pass_goes_on_within_a_second_and_keeps_a_note_for_the_champion(
    hasty: str, store: Front, settings: Settings
) -> None:
    settings.MODEL_PATIENCE_SECONDS = 0.7  # the default
    sensor = stored(make_sensor(kind=hasty.removeprefix("anomaly-")), *healthy(400))
    other = stored(make_sensor(kind="nobody-trained"), *healthy(400))

    def drain(of: Sensor) -> float:
        ScoringNote.objects.create(sensor=of, since=NOW - timedelta(hours=3), until=NOW)
        return seconds(lambda: detection.drain(now=NOW, policy=detection.policy()))

    drain(other)  # what only the first pass of a process costs
    store.delay_s = 30
    assert drain(sensor) < 1
    assert ScoringNote.objects.values_list("sensor", "held").get() == (sensor.pk, True)
    assert DetectionLease.objects.get(sensor=sensor).rung == "local"


def test_a_bucket_that_refuses_costs_less_than_a_second(hasty: str, store: Front) -> None:
    store.refuse = True
    assert seconds(lambda: is_away(hasty, "answer")) < 1
    assert seconds(lambda: is_away(hasty, "not being asked")) < 0.5


def test_a_stopped_mlflow_costs_less_than_a_second(hasty: str, server: MlflowServer) -> None:
    server.stop()
    assert seconds(lambda: is_away(hasty, "does not answer")) < 1
    assert seconds(lambda: is_away(hasty, "not being asked")) < 0.5


def _fetch(name: str, version: int, sha256: str) -> bool:
    return fetching.fetched(name, version, sha256, fetching.UNHURRIED)[1]


def test_fifty_workers_that_start_together_make_one_download(
    store: Front, model_cache: Path
) -> None:
    row = champion(new_name())
    as_a_new_worker(model_cache)
    store.clear()
    store.delay_s = 0.3  # time enough for all of them to come
    asked = [(row.name, row.version, row.sha256)] * 50
    with multiprocessing.get_context("fork").Pool(50) as workers:
        downloaded = workers.starmap(_fetch, asked, chunksize=1)
    assert downloaded.count(True) == 1
    assert store.gets("detector.zip") == 1


def test_a_roll_back_lets_what_was_refused_go(store: Front, model_cache: Path) -> None:
    name = new_name()
    first = champion(name)
    bad = champion(name, artifact=b"junk")
    Promotion.objects.filter(version=bad.version, name=name).update(previous_version=first.version)
    assert served(name).expected
    promotion.roll_back(name, reason="it does not load", now=NOW + timedelta(days=1))
    found = served(name)
    assert isinstance(found, Champion)
    assert not found.expected
    assert ServedModel.objects.get(name=name).reason == ""
    assert not Fallback.objects.exists()


def test_what_serving_did_is_told_on_the_metrics_and_in_the_admin(
    store: Front, model_cache: Path
) -> None:
    name = new_name()
    champion(name)
    as_a_new_worker(model_cache)
    served(name)
    served(name)
    serving.forget()  # as another job does, which has the disk and nothing else
    served(name)
    champion(name, artifact=b"junk")
    served(name)
    text = Client().get("/metrics").content.decode()
    for where in ("memory", "disk", "registry"):
        figure = {"memory": 2, "disk": 1, "registry": 1}[where]
        assert f'smartmaint_model_had{{model="{name}",where="{where}"}} {figure}.0' in text
    assert f'smartmaint_model_failures{{model="{name}"}} 1.0' in text
    assert f'smartmaint_model_not_serving{{model="{name}"}} 1.0' in text
    boss = Client()
    boss.force_login(make_person(is_staff=True, is_superuser=True))
    page = boss.get(reverse("admin:mlops_servedmodel_changelist")).content.decode()
    assert "does not serve" in page
    assert "no zip" in page


def test_a_warmed_machine_downloads_nothing_when_detection_asks(
    store: Front, model_cache: Path
) -> None:
    name = new_name()
    champion(name)
    as_a_new_worker(model_cache)
    out, err = StringIO(), StringIO()
    with contextlib.suppress(CommandError):  # other tests' champions do not load, and are said to
        call_command("warm_models", stdout=out, stderr=err)
    assert f"{name} v1 is on disk and loads" in out.getvalue()
    serving.forget()
    store.clear()
    store.refuse = True
    assert isinstance(served(name), Champion)
    assert store.gets("detector.zip") == 0

"""The job after a roll-back uses the version rolled back to: a real worker, MLflow and browser's
form."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import django_rq
import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from anomalies import tasks
from anomalies.models import Anomaly
from mlops import promotion, registry
from mlops.models import Promotion
from sensors.models import ScoringNote, Sensor
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW, make_person, make_sensor
from tests.mlops.conftest import mlflow, model_cache
from tests.mlops.makers import fitted, healthy, register, stored

__all__ = ["mlflow", "model_cache"]

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "anomaly-vibration"


@pytest.fixture(autouse=True)
def empty_redis() -> Iterator[None]:
    django_rq.get_connection("detection").flushdb()
    yield
    django_rq.get_connection("detection").flushdb()


def shaken() -> Sensor:
    times, values = healthy(700)
    values = values.copy()
    values[600:620] += 12 * np.std(values)
    return stored(make_sensor(kind="vibration"), times, values)


@pytest.fixture
def worker(mlflow: MlflowServer, settings: Settings, tmp_path: Path) -> Iterator[None]:
    """One worker for all jobs: another process, which forks for each of them."""
    told = {
        "DATABASE_URL": _of_the_test(),
        "MLFLOW_TRACKING_URI": settings.MLFLOW_TRACKING_URI,
        "MODEL_CACHE_DIR": str(settings.MODEL_CACHE_DIR),
        "MODEL_PATIENCE_SECONDS": "60",  # a busy machine is no outage
    }
    command = [sys.executable, "manage.py", "rqworker", "detection"]
    own = "anomalies.worker.PreloadedWorker"
    log = tmp_path / "worker.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, "--worker-class", own],
            env={**os.environ, **told}, stdout=output, stderr=output,
        ) as running,
    ):  # fmt: skip
        yield
        running.terminate()
        assert running.wait(timeout=60) == 0, log.read_text()


def version_of_next_job() -> int | None:
    """Which version the worker scores a fault with."""
    sensor = shaken()
    ScoringNote.objects.create(sensor=sensor, since=NOW - timedelta(days=1), until=NOW)
    job = django_rq.get_queue("detection").enqueue(tasks.run_detection)
    until = time.monotonic() + 180
    while job.get_status(refresh=True).value != "finished":
        assert time.monotonic() < until, job.get_status()
        time.sleep(0.05)
    found = Anomaly.objects.standing().filter(sensor=sensor, rung="champion")
    return found.values_list("model_version", flat=True).first()


def _of_the_test() -> str:
    """The address of the database that this test has."""
    from smartmaint.services import databases

    return databases.renamed(os.environ["DATABASE_URL"], connection.settings_dict["NAME"])


def test_the_next_job_uses_what_was_rolled_back_to_by_command_and_by_click(
    worker: None,
) -> None:
    for version, detector in enumerate((fitted("tails"), fitted("mahalanobis")), start=1):
        row = register(detector, name=NAME)
        registry.set_alias(NAME, registry.CHAMPION, row.version)
        before = Promotion.objects.filter(name=NAME).first()
        Promotion.objects.create(
            name=NAME,
            version=row.version,
            previous_version=before.version if before else None,
            promoted_at=NOW + timedelta(minutes=version),
        )
    newest = Promotion.objects.filter(name=NAME).first()
    assert newest is not None
    first, second = newest.previous_version, newest.version
    assert version_of_next_job() == second
    call_command("models", "rollback", NAME)
    assert version_of_next_job() == first
    promotion.promote(NAME, second, reason="again", now=NOW + timedelta(days=4000), force=True)
    assert version_of_next_job() == second
    boss = Client()
    boss.force_login(make_person(is_staff=True, is_superuser=True))
    boss.post(reverse("admin:mlops_promotion_roll_back", args=[NAME]))
    assert version_of_next_job() == first

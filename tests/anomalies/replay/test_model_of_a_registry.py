"""`manage.py replay --model` against a real registry: as if another version had been champion."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from pytest_django import Settings

from anomalies import cycle
from anomalies.models import Anomaly
from mlops import registry, serving
from mlops.models import Promotion
from sensors.models import ScoringNote, Sensor
from smartmaint.services.mlflow import MlflowServer
from tests.anomalies.replay import plant
from tests.factories import NOW, make_asset, make_sensor
from tests.mlops.conftest import mlflow, model_cache
from tests.mlops.makers import fitted, healthy, register, stored
from tests.services_fixtures import NOBODY_LISTENS

__all__ = ["mlflow", "model_cache"]

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "anomaly-vibration"
SINCE = NOW - timedelta(hours=18)


@pytest.fixture
def versions(mlflow: MlflowServer) -> tuple[int, int]:
    """A champion, and a version that is approved and nothing else."""
    champion, other = (register(fitted(name), name=NAME) for name in ("tails", "mahalanobis"))
    registry.set_alias(NAME, registry.CHAMPION, champion.version)
    Promotion.objects.create(name=NAME, version=champion.version, promoted_at=NOW)
    return champion.version, other.version


@pytest.fixture
def sensor(versions: tuple[int, int]) -> Sensor:
    """It shook for three hours, and the champion has judged it live."""
    times, values = healthy(700)
    values = values.copy()
    values[640:658] += 12 * np.std(values)
    found = stored(make_sensor(kind="vibration", asset=make_asset(name="pump")), times, values)
    ScoringNote.objects.create(sensor=found, since=SINCE, until=NOW)
    cycle.act(lambda: NOW)
    assert {one.model_version for one in Anomaly.objects.standing()} == {versions[0]}
    return found


def replayed(*options: str) -> dict[str, Any]:
    out = io.StringIO()
    span = (f"--since={SINCE.isoformat()}", f"--until={NOW.isoformat()}", "--lead=0", "--step=1800")
    before = plant.dump()
    call_command("replay", *span, "--json", *options, stdout=out, stderr=io.StringIO())
    assert plant.dump() == before
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def moved(found: dict[str, Any]) -> int:
    counts = found["differences"]["anomalies"]["counts"]
    return sum(counts[how] for how in ("added", "gone", "changed"))


def test_the_version_judges_as_champion_and_stays_what_it_was(
    sensor: Sensor, versions: tuple[int, int]
) -> None:
    champion, other = versions
    aliases = registry.aliases_of(NAME)
    same = replayed(f"--model={NAME}@{champion}")
    assert same["counts"]["was"]["anomalies"] >= 1
    assert moved(same) == 0
    assert same == {**replayed(), "change": same["change"]}
    tried = replayed(f"--model={NAME}@{other}")
    assert tried["change"] == {"models": {NAME: other}}
    assert moved(tried) >= 1
    assert tried["doubts"] == []
    assert registry.aliases_of(NAME) == aliases
    assert serving.champion_version(NAME) == champion


def test_while_the_registry_is_away_it_says_that_the_version_did_not_judge(
    sensor: Sensor, versions: tuple[int, int], settings: Settings
) -> None:
    settings.MODEL_PATIENCE_SECONDS = settings.REGISTRY_TIMEOUT_SECONDS = 1
    settings.MLFLOW_TRACKING_URI = NOBODY_LISTENS
    serving.forget()
    found = replayed(f"--model={NAME}@{versions[1]}")
    assert found["doubts"] == [
        "1 sensors were scored without their champion, which cannot be had now."
    ]

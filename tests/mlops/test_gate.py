"""The gate on stored readings and people's verdicts, with a real registry."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from anomalies.models import Verdict
from anomalies.review import review
from mlops import gate, promotion, registry
from mlops.detectors.fitted import Fitted
from mlops.models import ModelApproval, Promotion
from sensors.models import Sensor
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW, make_anomaly, make_person, make_sensor
from tests.mlops.makers import fitted, healthy, new_name, register, stored

pytestmark = pytest.mark.django_db
STEP = timedelta(minutes=10)
FAULT = (600, 620)  # rows of a thousand


def run(*line: str) -> str:
    out = StringIO()
    call_command(*line, stdout=out)
    return out.getvalue()


def at(row: int) -> datetime:
    return NOW - STEP * (1000 - row)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.fixture
def failed() -> Sensor:
    """A sensor that shook for twenty readings, which a person confirmed."""
    times, values = healthy(1000)
    values = values.copy()
    values[slice(*FAULT)] += 12 * np.std(values)
    sensor = stored(make_sensor(kind="vibration"), times, values)
    fault = make_anomaly(sensor=sensor, start=at(FAULT[0]), peak=at(610), end=at(FAULT[1] - 1))
    fault.readings = 20
    fault.save()
    review(anomaly=fault, verdict=Verdict.CONFIRMED, note="bearing", person=make_person(), now=NOW)
    return sensor


def deaf() -> Fitted:
    """To which nothing is rare."""
    heard = fitted("mahalanobis")
    assert heard.tail is not None
    tail = replace(heard.tail, knots=heard.tail.knots * 1e6, decade=1e9)
    return Fitted(heard.name, heard.pipeline, tail)


@pytest.fixture
def name(mlflow: MlflowServer) -> str:
    """A model whose v1 is champion and finds the fault, and whose v2 hears nothing."""
    name = new_name()
    for detector in (fitted("tails"), deaf()):
        register(detector, name=name)
    ModelApproval.objects.filter(name=name).update(sensor_kind="vibration")
    promotion.promote(name, 1, reason="first", now=NOW)
    return name


def test_a_challenger_that_misses_one_confirmed_fault_is_refused(
    failed: Sensor, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much better it did on what was held back."""
    figures = {"f1": 0.99, "average_precision": 0.99}, {"f1": 0.9, "average_precision": 0.9}, 0.05
    monkeypatch.setattr(gate, "_held_back", lambda *_: figures)
    verdict = gate.judge(name, 2, now=NOW)
    assert not verdict.passes
    assert f"misses 1 confirmed fault: {failed.external_id}" in verdict.reason
    with pytest.raises(promotion.NotBetter):
        promotion.promote(name, 2, reason="its AUC is better", now=NOW)
    assert registry.aliases_of(name)[registry.CHAMPION] == 1


def test_without_a_verdict_there_is_nothing_to_miss(name: str) -> None:
    stored(make_sensor(kind="vibration"), *healthy(1000))
    assert promotion.promote(name, 2, reason="quieter", now=NOW).gate


def test_the_command_compares_refuses_and_can_be_forced_with_a_reason(
    failed: Sensor, name: str
) -> None:
    registry.set_alias(name, registry.CHALLENGER, 2)
    said = run("models", "compare", name)
    assert "v2 may not become champion: it misses 1 confirmed fault" in said
    assert "1 of 1" in said
    with pytest.raises(CommandError, match="keeps its champion"):
        run("models", "promote", name, "2")
    with pytest.raises(CommandError, match="say why"):
        run("models", "promote", name, "2", "--force")
    assert "had refused" in run("models", "promote", name, "2", "--force", "--reason", "a trial")
    made = Promotion.objects.latest("pk")
    assert (made.forced, made.reason) == (True, "a trial")
    assert "misses 1 confirmed fault" in made.gate
    assert "v1 is champion again" in run("models", "rollback", name)


def test_a_version_that_somebody_registered_can_be_approved(name: str) -> None:
    ModelApproval.objects.filter(name=name, version=2).delete()
    with pytest.raises(CommandError, match="never approved"):
        run("models", "promote", name, "2")
    assert f"{name} v2 may be loaded" in run("models", "approve", name, "2")
    assert "v2 is champion" in run("models", "promote", name, "2")
    with pytest.raises(CommandError, match=r"has no .* v9"):
        run("models", "approve", name, "9")


def test_one_click_rolls_back(client: Client, failed: Sensor, name: str) -> None:
    promotion.promote(name, 2, reason="a trial", now=NOW, force=True)
    address = reverse("admin:mlops_promotion_roll_back", args=[name])
    client.force_login(make_person(is_staff=True))
    assert client.post(address, secure=True).status_code == 403
    client.force_login(make_person(is_staff=True, is_superuser=True))
    listed = client.get(reverse("admin:mlops_promotion_changelist"), secure=True).text
    assert f'formaction="{address}"' in listed
    assert client.get(address, secure=True).status_code == 405
    answer = client.post(address, secure=True, follow=True)
    assert "v1 is champion again" in answer.text
    assert registry.aliases_of(name)[registry.CHAMPION] == 1
    assert client.post(address, secure=True, follow=True).text.count("no champion before") == 1

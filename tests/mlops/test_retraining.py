"""Retraining: when it is due, one at a time, and to champion where gate and sites allow."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from mlops import gate, registry, retraining
from mlops.comparison import Answer
from mlops.models import Drift, ModelApproval, Promotion, Retraining
from mlops.retraining_policy import (
    Due,
    NotDue,
    RetrainingPolicy,
    RetrainingPolicyError,
    Standing,
    judge,
    parse,
)
from sensors.models import Sensor
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW, make_sensor, make_site
from tests.mlops.makers import healthy, stored

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
POLICY = RetrainingPolicy()


def run(*line: str) -> str:
    out = StringIO()
    call_command(*line, stdout=out)
    return out.getvalue()


# --- when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standing", "is_due"),
    [
        (Standing(None, 8, 8, None), False),
        (Standing(1.0, 0, 8, None), False),
        (Standing(1.0, 1, 8, None), False),
        (Standing(1.0, 2, 8, None), True),
        (Standing(1.0, 2, 8, 6.9), False),
        (Standing(1.0, 2, 8, 7.0), True),
        (Standing(29.9, 0, 8, None), False),
        (Standing(30.0, 0, 8, None), True),
        (Standing(30.0, 0, 0, None), True),
    ],
)
def test_it_is_due_by_drift_or_by_age_and_not_too_soon_again(standing, is_due) -> None:
    found = judge(standing, POLICY)
    assert isinstance(found, Due if is_due else NotDue)
    assert found.reason


@pytest.mark.parametrize("bad", [{"x": 1}, {"max_age_days": 0}, {"drifted_share": 1.1}, [], 3])
def test_a_policy_that_makes_no_sense_is_refused(bad) -> None:
    with pytest.raises(RetrainingPolicyError):
        parse(bad)


# --- what becomes of it ---------------------------------------------------------------------------


@pytest.fixture
def fleet(mlflow: MlflowServer) -> list[Sensor]:
    """Four humidity sensors whose champion was trained ten days ago."""
    site = make_site(promotes_retrained=True)
    sensors = [
        stored(make_sensor(kind="humidity", site=site), *healthy(700, "humidity", seed))
        for seed in range(201, 205)
    ]
    run("train", "anomaly", "--fast")
    ModelApproval.objects.update(approved_at=NOW - 10 * DAY)
    return sensors


def drifted(*sensors: Sensor) -> None:
    for sensor in sensors:
        Drift.objects.create(
            sensor=sensor, as_of=NOW - DAY, found_at=NOW - DAY, shift=3.0, psi=4.0, p=0.001
        )


def trained_again() -> list[Retraining]:
    return retraining.run_due(clock=lambda: NOW, policy=POLICY)


def answering(monkeypatch, *, passes: bool) -> None:
    """The gate's own judgement is tested where it stands."""
    answer = Answer(passes=passes, reason="better" if passes else "it misses a fault")
    monkeypatch.setattr(gate, "judge", lambda *_args, **_named: gate.Verdict(answer))


def test_no_drift_no_retraining(fleet: list[Sensor]) -> None:
    before = ModelApproval.objects.count()
    assert trained_again() == []
    assert ModelApproval.objects.count() == before


def test_what_the_gate_refuses_is_challenger(fleet: list[Sensor], monkeypatch) -> None:
    drifted(fleet[0])
    answering(monkeypatch, passes=False)
    (row,) = trained_again()
    assert (row.state, row.outcome) == (Retraining.State.CHALLENGER, "it misses a fault")
    aliases = registry.aliases_of("anomaly-humidity")
    assert aliases[registry.CHALLENGER] == row.version
    assert aliases[registry.CHAMPION] == Promotion.objects.get().version


def test_what_the_gate_lets_through_is_champion_where_the_sites_allow_it(
    fleet: list[Sensor], monkeypatch
) -> None:
    drifted(fleet[0])
    answering(monkeypatch, passes=True)
    (row,) = trained_again()
    assert row.state == Retraining.State.CHAMPION
    assert registry.aliases_of("anomaly-humidity")[registry.CHAMPION] == row.version
    newest = Promotion.objects.latest("pk")
    assert newest.reason == "trained again: 1 of 4 sensors drifted since it was trained"
    assert newest.gate == "better"


def test_one_site_that_wants_to_be_asked_is_enough(fleet: list[Sensor], monkeypatch) -> None:
    drifted(fleet[0])
    stored(make_sensor(kind="humidity", site=make_site(name="Mill")), *healthy(700, "humidity"))
    answering(monkeypatch, passes=True)
    (row,) = retraining.run_due(clock=lambda: NOW, policy=RetrainingPolicy(drifted_share=0.2))
    assert row.state == Retraining.State.CHALLENGER
    assert row.outcome == "better; Mill decides by hand"


def test_it_is_not_done_twice_nor_beside_another(fleet: list[Sensor], monkeypatch) -> None:
    drifted(*fleet)
    other = Retraining.objects.create(
        kind="flow", name="anomaly-flow", reason="", policy={}, began_at=NOW - DAY / 24
    )
    assert trained_again() == []
    other.began_at = NOW - DAY
    other.save()
    answering(monkeypatch, passes=False)
    assert len(trained_again()) == 1
    other.refresh_from_db()
    assert (other.state, other.outcome) == (Retraining.State.FAILED, "its worker was lost")
    assert trained_again() == []

    ((kind, found),) = retraining.look(now=NOW, policy=POLICY)
    assert kind == "humidity"
    assert isinstance(found, NotDue)


def test_while_the_registry_is_away_it_fails_with_the_reason(
    fleet: list[Sensor], mlflow: MlflowServer, settings: Settings
) -> None:
    drifted(*fleet)
    settings.REGISTRY_TIMEOUT_SECONDS = 1
    mlflow.stop()
    (row,) = trained_again()
    assert row.state == Retraining.State.FAILED
    assert row.outcome
    assert row.ended_at == NOW


def test_the_command_says_what_is_due_and_what_came_out(
    fleet: list[Sensor], settings: Settings, monkeypatch
) -> None:
    settings.RETRAINING_POLICY = {"max_age_days": 100_000}
    assert "humidity: not due" in run("retrain", "--dry-run")
    assert "Nothing is due" in run("retrain")
    settings.RETRAINING_POLICY = {}
    assert "humidity: due: trained" in run("retrain", "--dry-run")
    answering(monkeypatch, passes=False)
    assert "Challenger: it misses a fault" in run("retrain")
    Retraining.objects.all().delete()
    ModelApproval.objects.update(approved_at=NOW - 10 * DAY)
    monkeypatch.setattr("mlops.datasets.SETTLED_ROWS", 10_000)
    with pytest.raises(CommandError, match="Not all"):
        run("retrain")
    assert "0 rows to fit" in Retraining.objects.get().outcome

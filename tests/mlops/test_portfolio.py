"""The pipelines on generated data, through a real registry, into serving and out by export."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from mlops import registry, serving
from mlops.extraction.machining import BASELINE, CAUSES, ENGINEERED, IDS, LABEL
from mlops.models import ModelApproval, Promotion
from mlops.pipelines import NoData, Order, anomaly, recording, rul, vibration
from mlops.pipelines.report import page
from mlops.predictor import Predictor
from smartmaint.services.mlflow import MlflowServer
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def run(*line: str) -> str:
    out = StringIO()
    call_command(*line, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("column", [*CAUSES, *IDS, LABEL])
def test_no_cause_no_id_and_no_label_is_a_feature(column: str) -> None:
    said = column.lower().replace(" ", "_")
    for declared in (BASELINE, ENGINEERED):
        assert not [name for name in declared.columns if said in name.split("_") or said == name]


def test_engines_are_learnt_from_registered_served_and_reported(mlflow: MlflowServer) -> None:
    trained = rul.run(Order(now=NOW, fast=True))
    roles = {each.role for each in trained if each.model == "remaining-life"}
    assert roles == {"champion", "challenger"}
    names = {row.name for row in Promotion.objects.all()}
    assert names == {"remaining-life", "remaining-life-lightgbm", "remaining-life-ridge"}
    assert {row.dataset for row in ModelApproval.objects.all()} == {"synthetic"}
    for name in names:
        model = serving.load(name)
        assert isinstance(model, Predictor)
        assert np.isfinite(model.predict(np.zeros((2, len(model.features_))))).all()
    best = min(trained, key=lambda each: each.metrics["rmse"])
    assert best.metrics["rmse"] < best.metrics["baseline_rmse"] / 2
    text = page(trained)
    assert "## rul" in text
    assert "synthetic" in text


def test_a_version_has_a_card_a_signature_an_example_and_its_requirements(
    mlflow: MlflowServer,
) -> None:
    trained = vibration.run(Order(now=NOW, fast=True, promote=False))
    one = trained[0]
    card = registry.document(one.model, one.version, "MODEL_CARD.md").decode()
    assert "Learnt from generated data" in card
    assert "| lead_hours |" in card
    assert "144 snapshots" in card
    described = registry.document(one.model, one.version, "MLmodel").decode()
    assert "mean_abs_since_new" in described
    example = json.loads(registry.document(one.model, one.version, "input_example.json"))
    assert len(example["columns"]) == len(example["data"][0])
    assert (
        "scikit-learn==" in registry.document(one.model, one.version, "requirements.txt").decode()
    )


def test_what_knows_real_data_is_not_replaced_by_what_knows_generated_ones(
    mlflow: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "SYNTHETIC", "another word")
    rul.run(Order(now=NOW, fast=True))
    ModelApproval.objects.update(dataset="cmapss-fd001")
    before = serving.champion_version("remaining-life")
    monkeypatch.undo()
    said: list[str] = []
    rul.run(Order(now=NOW, fast=True, say=said.append))
    assert serving.champion_version("remaining-life") == before
    assert any("stays challenger" in line for line in said)


@pytest.mark.parametrize("model", ["bearing-failure", "bearing-failure-isolation-forest"])
def test_an_exported_model_answers_without_this_project(
    mlflow: MlflowServer, tmp_path: Path, model: str
) -> None:
    vibration.run(Order(now=NOW, fast=True))
    run("models", "export", model, str(tmp_path / "out"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    said = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "out" / "predict.py")],
        cwd=elsewhere,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.splitlines()) == 5


def test_files_that_are_not_there_are_said(mlflow: MlflowServer, tmp_path: Path) -> None:
    for name in ("classification", "vibration", "bearing", "audio", "rul"):
        with pytest.raises(CommandError, match=f"{name}: no .* below"):
            run("train", name, "--data", str(tmp_path))
    with pytest.raises(CommandError, match="There is no folder"):
        run("train", "rul", "--data", str(tmp_path / "nowhere"))


def test_an_empty_installation_learns_from_generated_readings_and_says_so(
    mlflow: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomaly, "model_for_kind", lambda kind: f"anomaly-generated-{kind}")
    with pytest.raises(NoData):
        anomaly.run(Order(now=NOW, fast=True))
    trained = anomaly.run(Order(now=NOW, fast=True, generate=True))
    assert {each.dataset for each in trained} == {"synthetic"}
    # One of each kind, but where the gate keeps it out: `--fast` leaves little to learn from.
    roles = [(each.model, each.role) for each in trained]
    assert len({model for model, role in roles if role in {"champion", "challenger"}}) == 5
    assert sum(role == "champion" for _, role in roles) >= 3
    card = registry.document(trained[0].model, trained[0].version, "MODEL_CARD.md").decode()
    assert "Learnt from generated data" in card

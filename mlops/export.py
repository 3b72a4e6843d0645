"""A model for those who do not run this project: its file, a plain example, and what it says.

A folder with the model file, its manifest and card, the libraries it needs, input rows with the
answers that this release gives to them, and `predict.py`, which loads the model and gives the same
answers with numpy and one library. Where a model has estimators of our own inside, the pure modules
that define them go along.
"""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mlops import artifacts, registry, serving
from mlops.approval import check_approval, check_artifact
from mlops.model_files import TRUSTED_TYPES
from mlops.models import ModelApproval
from mlops.predictor import Predictor

_EXAMPLE = Path(__file__).with_name("export_example.py.txt")
# What the pure modules of TRUSTED_TYPES import in their turn.
_OURS = ("sensors.series", "mlops.detectors.base", "mlops.features", "mlops.windows")
_BESIDE = ("MODEL_CARD.md", "requirements.txt")


def export(name: str, version: int | None, directory: Path) -> list[Path]:
    """Write the folder; the files written. Refused, Unavailable, RegistryAway, NotRegistered."""
    number = serving.champion_version(name) if version is None else version
    row = ModelApproval.objects.filter(name=name, version=number).first()
    approval = check_approval(row, name, number)
    artifact = registry.download(name, number)
    check_artifact(approval, artifact)
    model = serving.load(name, number)
    manifest = artifacts.manifest_of(artifact)
    files = artifacts.contents_of(artifact)
    files["manifest.json"] = artifacts.manifest_bytes(artifact)
    files["example.json"] = json.dumps(_example(model, _rows(name, number, model))).encode()
    files["predict.py"] = _EXAMPLE.read_bytes()
    files |= _written_beside(name, number) | _modules(manifest)
    return [_write(directory / path, content) for path, content in sorted(files.items())]


def _rows(name: str, version: int, model: Any) -> list[list[float]]:
    """The input example that was registered with it; else made-up rows."""
    try:
        rows = json.loads(registry.document(name, version, "input_example.json"))["data"]
        return [[float(cell) for cell in row] for row in rows]
    except registry.NotRegistered:
        rng = np.random.default_rng(0)
        return [list(map(float, row)) for row in rng.normal(size=(5, len(model.features_)))]


def _example(model: Any, rows: list[list[float]]) -> dict[str, Any]:
    X = np.array(rows)
    said = model.predict(X) if isinstance(model, Predictor) else model.score(X)[:, None]
    return {"columns": list(model.features_), "data": rows, "expected": said.tolist()}


def _written_beside(name: str, version: int) -> dict[str, bytes]:
    found = {}
    for file in _BESIDE:
        try:
            found[file] = registry.document(name, version, file)
        except registry.NotRegistered:
            continue  # versions from before cards were written have none
    return found


def _modules(manifest: dict[str, Any]) -> dict[str, bytes]:
    """Sources by path, where the model file is skops and so may name our estimators."""
    if manifest["model_file"] != artifacts.SKOPS:
        return {}
    ours = {path.rpartition(".")[0] for path in TRUSTED_TYPES if path.startswith("mlops.")}
    files = {}
    for module in sorted({*ours, *_OURS}):
        path = f"{module.replace('.', '/')}.py"
        files[path] = inspect.getsource(import_module(module)).encode()
        for depth in range(1, module.count(".") + 1):
            files["/".join(module.split(".")[:depth]) + "/__init__.py"] = b""
    return files


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path

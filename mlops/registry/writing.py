"""What training and people write to the registry, by MLflow's own client."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from django.conf import settings

from mlops.registry.errors import NotRegistered, RegistryAway, brief
from mlops.registry.names import FILE_NAME, FOLDER
from mlops.registry.web import host

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

_UPLOAD_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Run:
    """What a training run leaves in the registry. metrics carry in their name how they were taken;
    plots: path in the run -> figure; files: path -> UTF-8 text."""

    experiment: str
    name: str
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str] = field(default_factory=dict)
    plots: Mapping[str, Figure] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signature:
    """Names of a model's columns and of what it answers, all of them numbers (float64)."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def log_and_register(
    run: Run,
    *,
    artifact: bytes,
    manifest: bytes,
    model: str,
    tags: Mapping[str, str],
    signature: Signature | None = None,
    beside: Mapping[str, bytes] | None = None,
) -> int:
    """Log a run with its artifact and register it as the next version of `model`: its number.

    beside: file name -> content, put into the folder of the artifact.
    """
    with _client() as client:
        logged = client.create_run(_experiment(client, run.experiment), run_name=run.name)
        run_id = logged.info.run_id
        _log(client, run_id, run)
        folder = {FILE_NAME: artifact, "manifest.json": manifest, **(beside or {})}
        if signature is not None:
            folder["MLmodel"] = _described(run_id, signature)
        _upload(client, run_id, folder)
        client.set_terminated(run_id)
        _ensure_model(client, model, tags)
        version = client.create_model_version(
            model, f"{logged.info.artifact_uri}/{FOLDER}", run_id, tags=dict(tags)
        )
        return int(version.version)


def register_again(name: str, version: int, *, model: str, tags: Mapping[str, str]) -> int:
    """The artifact of a version as the next version of another model: its number there."""
    with _client() as client:
        known = client.get_model_version(name, str(version))
        _ensure_model(client, model, tags)
        again = client.create_model_version(model, str(known.source), known.run_id, tags=dict(tags))
        return int(again.version)


def _upload(client: MlflowClient, run_id: str, folder: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name, content in folder.items():
            Path(directory, name).write_bytes(content)
        client.log_artifacts(run_id, directory, FOLDER)


def _described(run_id: str, signature: Signature) -> bytes:
    """MLflow's own description of the folder: its pages show columns and answers from it. The one
    flavor says that a release of this project loads it, and no other program by itself."""
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs, outputs = (
        Schema([ColSpec("double", name) for name in names])
        for names in (signature.inputs, signature.outputs)
    )
    described = Model(
        artifact_path=FOLDER,
        run_id=run_id,
        signature=ModelSignature(inputs, outputs),
        flavors={"smartmaint": {"artifact": FILE_NAME}},
    )
    return str(described.to_yaml()).encode()


def set_alias(name: str, alias: str, version: int) -> None:
    """Point an alias at a version. NotRegistered, RegistryAway."""
    with _client() as client:
        client.set_registered_model_alias(name, alias, str(version))


def _log(client: MlflowClient, run_id: str, run: Run) -> None:
    from mlflow.entities import Metric, Param, RunTag

    client.log_batch(
        run_id,
        metrics=[Metric(key, float(value), 0, 0) for key, value in run.metrics.items()],
        params=[Param(key, str(value)) for key, value in run.params.items()],
        tags=[RunTag(key, value) for key, value in run.tags.items()],
    )
    for path, figure in run.plots.items():
        client.log_figure(run_id, figure, path)
    for path, content in run.files.items():
        client.log_text(run_id, content.decode(), path)


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id) if found else str(client.create_experiment(name))


def _ensure_model(client: MlflowClient, name: str, tags: Mapping[str, str]) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, tags={k: tags[k] for k in ("task",) if k in tags})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


@contextmanager
def _client() -> Iterator[MlflowClient]:
    """MlflowClient with short waits, its errors said in ours."""
    # Read by MLflow at every request. One retry: an upload may meet a connection that went stale.
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    timeout_s = max(_UPLOAD_TIMEOUT_S, int(settings.REGISTRY_TIMEOUT_SECONDS))
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(timeout_s)
    # What a run is called and how it went is told by the pipeline; links and notes hide it.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        yield MlflowClient(tracking_uri=settings.MLFLOW_TRACKING_URI)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise NotRegistered(str(error)) from error
        raise RegistryAway(f"MLflow at {host()}: {brief(error)}") from error
    except requests.RequestException as error:
        raise RegistryAway(f"MLflow at {host()}: {brief(error)}") from error

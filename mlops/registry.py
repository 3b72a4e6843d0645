"""The model registry: the only module that speaks to MLflow and to the bucket behind it.

Serving asks small questions often, from short-lived processes, so it uses MLflow's REST interface
(importing the client costs seconds). Training writes through MlflowClient. Whatever keeps an
answer from coming is RegistryAway; nothing here waits longer than settings.REGISTRY_TIMEOUT_SECONDS
for one answer of the server.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import requests
from django.conf import settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

CHAMPION, CHALLENGER = "champion", "challenger"
_API = "/api/2.0/mlflow/"
FILE_NAME = "detector.zip"
MAX_BYTES = 256 * 2**20
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
_FOLDER = "model"
_UPLOAD_TIMEOUT_S = 60
_PAGE = 1000


class RegistryAway(Exception):
    """The registry, or the store behind it, gave no usable answer; the message says which."""


class NotRegistered(LookupError):
    """The registry answered that there is no such model, version or file."""


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


# --- what serving asks ----------------------------------------------------------------------------


def champions(prefix: str) -> dict[str, int]:
    """name -> version of every champion among the registered models whose name has the prefix."""
    found: dict[str, int] = {}
    token = ""
    while True:
        page = _get(
            "registered-models/search",
            filter=f"name LIKE '{prefix}%'",
            max_results=str(_PAGE),
            page_token=token,
        )
        for model in page.get("registered_models", ()):
            for alias in model.get("aliases", ()):
                if alias["alias"] == CHAMPION:
                    found[model["name"]] = int(alias["version"])
        token = page.get("next_page_token", "")
        if not token:
            return found


def download(name: str, version: int) -> bytes:
    """The artifact of a registered version, unverified. NotRegistered, RegistryAway."""
    answer = _get("model-versions/get", name=name, version=str(version))
    return fetch(str(answer["model_version"]["source"]))


def document(name: str, version: int, file: str) -> bytes:
    """A file that lies beside the artifact, such as its card; nothing that is run."""
    answer = _get("model-versions/get", name=name, version=str(version))
    return fetch(str(answer["model_version"]["source"]), file)


def fetch(source: str, file: str = FILE_NAME) -> bytes:
    """A file of the folder that is a version's source. NotRegistered, RegistryAway."""
    where = urlsplit(source)
    path = f"{where.path.strip('/')}/{file}"
    if where.scheme == "s3":
        return _from_bucket(where.netloc, path)
    if where.scheme == "mlflow-artifacts":
        return _body(_ask(_ARTIFACTS + quote(path), {}))
    raise RegistryAway(f"artifacts at {source} cannot be reached from here; serve them by MLflow")


def _get(path: str, **query: str) -> dict[str, Any]:
    answer = _ask(_API + path, {key: value for key, value in query.items() if value})
    try:
        content = answer.json()
    except requests.JSONDecodeError as error:
        raise RegistryAway("MLflow answered with something that is not JSON") from error
    if not isinstance(content, dict):
        raise RegistryAway("MLflow answered with JSON of another shape")
    return content


def _ask(path: str, query: Mapping[str, str]) -> requests.Response:
    """One GET; no retries here, because the breaker around serving decides when to ask again."""
    address = settings.MLFLOW_TRACKING_URI.rstrip("/") + path
    try:
        answer = requests.get(
            address, params=query, headers=_credentials(), timeout=_timeout_s(), stream=True
        )
    except requests.RequestException as error:
        raise RegistryAway(f"MLflow at {_host()} does not answer: {_brief(error)}") from error
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise NotRegistered(f"MLflow does not know {path} {dict(query)}")
    if answer.status_code != HTTPStatus.OK:
        raise RegistryAway(f"MLflow at {_host()} answered {answer.status_code} to {path}")
    return answer


def _body(answer: requests.Response) -> bytes:
    """A streamed body, up to MAX_BYTES."""
    received = bytearray()
    try:
        for piece in answer.iter_content(2**20):
            received += piece
            if len(received) > MAX_BYTES:
                raise RegistryAway(f"the artifact is larger than {MAX_BYTES} bytes")
    except requests.RequestException as error:
        raise RegistryAway(f"the artifact broke off: {_brief(error)}") from error
    return bytes(received)


def _from_bucket(bucket: str, key: str) -> bytes:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    waits = Config(
        connect_timeout=_timeout_s(), read_timeout=_timeout_s(), retries={"total_max_attempts": 1}
    )
    endpoint = os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None
    try:
        found = boto3.client("s3", endpoint_url=endpoint, config=waits).get_object(
            Bucket=bucket, Key=key
        )
        return bytes(found["Body"].read(MAX_BYTES))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
            raise NotRegistered(f"s3://{bucket}/{key} does not exist") from error
        raise RegistryAway(f"the bucket {bucket} refused: {_brief(error)}") from error
    except BotoCoreError as error:
        raise RegistryAway(f"the bucket {bucket} does not answer: {_brief(error)}") from error


def _credentials() -> dict[str, str]:
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _timeout_s() -> float:
    return float(settings.REGISTRY_TIMEOUT_SECONDS)


def _host() -> str:
    return urlsplit(settings.MLFLOW_TRACKING_URI).netloc


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


# --- what training and people write ---------------------------------------------------------------


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
            model, f"{logged.info.artifact_uri}/{_FOLDER}", run_id, tags=dict(tags)
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
        client.log_artifacts(run_id, directory, _FOLDER)


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
        artifact_path=_FOLDER,
        run_id=run_id,
        signature=ModelSignature(inputs, outputs),
        flavors={"smartmaint": {"artifact": FILE_NAME}},
    )
    return str(described.to_yaml()).encode()


def set_alias(name: str, alias: str, version: int) -> None:
    """Point an alias at a version. NotRegistered, RegistryAway."""
    with _client() as client:
        client.set_registered_model_alias(name, alias, str(version))


def versions(names: Iterable[str]) -> list[dict[str, Any]]:
    """What the registry says of all versions of these models: name, version, aliases, tags."""
    found = []
    for name in names:
        aliases = aliases_of(name)
        page = _get("model-versions/search", filter=f"name='{name}'", max_results=str(_PAGE))
        for version in page.get("model_versions", ()):
            number = int(version["version"])
            tags = {tag["key"]: tag["value"] for tag in version.get("tags", ())}
            at = [alias for alias, target in aliases.items() if target == number]
            found.append({"name": name, "version": number, "aliases": at, "tags": tags})
    return found


def experiments() -> list[str]:
    """Names of the experiments that have runs of ours."""
    page = _get("experiments/search", max_results=str(_PAGE))
    names = (str(each["name"]) for each in page.get("experiments", ()))
    return [name for name in names if name != "Default"]


def aliases_of(name: str) -> dict[str, int]:
    """alias -> version of a registered model. NotRegistered, RegistryAway."""
    model = _get("registered-models/get", name=name)["registered_model"]
    return {alias["alias"]: int(alias["version"]) for alias in model.get("aliases", ())}


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
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(_UPLOAD_TIMEOUT_S, int(_timeout_s())))
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
        raise RegistryAway(f"MLflow at {_host()}: {_brief(error)}") from error
    except requests.RequestException as error:
        raise RegistryAway(f"MLflow at {_host()}: {_brief(error)}") from error

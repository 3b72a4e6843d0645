"""What is asked of the registry: by serving often, by people now and then."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from mlops.registry import bucket, web
from mlops.registry.errors import RegistryAway
from mlops.registry.names import CHAMPION, FILE_NAME
from mlops.registry.web import Wait

_API = "/api/2.0/mlflow/"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
_PAGE = 1000


def roles(prefix: str, wait: Wait | None = None) -> dict[str, dict[str, int]]:
    """name -> alias -> version of the registered models whose name has the prefix."""
    return {
        model["name"]: {alias["alias"]: int(alias["version"]) for alias in _aliases(model)}
        for model in _models(prefix, wait)
    }


def champions(prefix: str, wait: Wait | None = None) -> dict[str, int]:
    """name -> version of every champion among the registered models whose name has the prefix."""
    found = roles(prefix, wait)
    return {name: aliases[CHAMPION] for name, aliases in found.items() if CHAMPION in aliases}


def aliases_of(name: str, wait: Wait | None = None) -> dict[str, int]:
    """alias -> version of a registered model. NotRegistered, RegistryAway."""
    model = _get("registered-models/get", wait, name=name)["registered_model"]
    return {alias["alias"]: int(alias["version"]) for alias in _aliases(model)}


def download(name: str, version: int, wait: Wait | None = None) -> bytes:
    """The artifact of a registered version, unverified. NotRegistered, RegistryAway."""
    return fetch(_source(name, version, wait), wait=wait)


def document(name: str, version: int, file: str) -> bytes:
    """A file that lies beside the artifact, such as its card; nothing that is run."""
    return fetch(_source(name, version, None), file)


def fetch(source: str, file: str = FILE_NAME, wait: Wait | None = None) -> bytes:
    """A file of the folder that is a version's source. NotRegistered, RegistryAway."""
    where = urlsplit(source)
    path = f"{where.path.strip('/')}/{file}"
    if where.scheme == "s3":
        return bucket.read(where.netloc, path, wait)
    if where.scheme == "mlflow-artifacts":
        return web.mlflow(_ARTIFACTS + quote(path), {}, wait)
    raise RegistryAway(f"artifacts at {source} cannot be reached from here; serve them by MLflow")


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


def _models(prefix: str, wait: Wait | None) -> Iterator[dict[str, Any]]:
    token = ""
    while True:
        page = _get(
            "registered-models/search",
            wait,
            filter=f"name LIKE '{prefix}%'",
            max_results=str(_PAGE),
            page_token=token,
        )
        yield from page.get("registered_models", ())
        token = page.get("next_page_token", "")
        if not token:
            return


def _aliases(model: dict[str, Any]) -> list[dict[str, Any]]:
    return list(model.get("aliases", ()))


def _source(name: str, version: int, wait: Wait | None) -> str:
    answer = _get("model-versions/get", wait, name=name, version=str(version))
    return str(answer["model_version"]["source"])


def _get(path: str, wait: Wait | None = None, **query: str) -> dict[str, Any]:
    body = web.mlflow(_API + path, {key: value for key, value in query.items() if value}, wait)
    try:
        content = json.loads(body)
    except ValueError as error:
        raise RegistryAway("MLflow answered with something that is not JSON") from error
    if not isinstance(content, dict):
        raise RegistryAway("MLflow answered with JSON of another shape")
    return content

"""One GET whose whole answer comes within a stated time, or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

from mlops.registry.errors import NotRegistered, RegistryAway, brief

MAX_BYTES = 256 * 2**20
_PIECE = 2**16
_TOTAL_S = 300.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds: for the server to say anything at all, and for the whole answer."""

    idle_s: float
    total_s: float


def patient() -> Wait:
    """For people and for what runs beside detection."""
    return Wait(float(settings.REGISTRY_TIMEOUT_SECONDS), _TOTAL_S)


def get(
    address: str, query: Mapping[str, str], *, who: str, headers: Mapping[str, str], wait: Wait
) -> bytes:
    """The body, up to MAX_BYTES. NotRegistered for 404, RegistryAway for all that is no answer.

    No retries here, because the breaker around serving decides when to ask again.
    """
    until = time.monotonic() + wait.total_s
    idle_s = max(min(wait.idle_s, wait.total_s), 1e-3)
    try:
        with requests.get(
            address, params=dict(query), headers=dict(headers), timeout=idle_s, stream=True
        ) as answer:
            _check(answer, who)
            return _body(answer, who, until)
    except (requests.RequestException, HTTPError) as error:
        raise RegistryAway(f"{who} does not answer: {brief(error)}") from error


def _check(answer: requests.Response, who: str) -> None:
    asked = urlsplit(answer.url).path
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise NotRegistered(f"{who} does not know {asked}")
    if answer.status_code != HTTPStatus.OK:
        raise RegistryAway(f"{who} answered {answer.status_code} to {asked}")


def _body(answer: requests.Response, who: str, until: float) -> bytes:
    """Read in small pieces as they come, so that a server that drips is given up in time."""
    received = bytearray()
    while piece := answer.raw.read1(_PIECE, decode_content=True):
        received += piece
        if len(received) > MAX_BYTES:
            raise RegistryAway(f"the answer of {who} is larger than {MAX_BYTES} bytes")
        if time.monotonic() > until:
            raise RegistryAway(f"{who} is too slow: {len(received)} bytes in the time it had")
    _check_length(answer, who, len(received))
    return bytes(received)


def _check_length(answer: requests.Response, who: str, received: int) -> None:
    """A connection that breaks off is no shorter file."""
    stated = answer.headers.get("Content-Length")
    plain = "Content-Encoding" not in answer.headers
    if plain and stated is not None and int(stated) != received:
        raise RegistryAway(f"{who} broke off after {received} of {stated} bytes")


def mlflow(path: str, query: Mapping[str, str], wait: Wait | None) -> bytes:
    """The answer of the MLflow server to a GET of a path."""
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    address = settings.MLFLOW_TRACKING_URI.rstrip("/") + path
    return get(address, query, who=f"MLflow at {host()}", headers=headers, wait=wait or patient())


def host() -> str:
    return urlsplit(settings.MLFLOW_TRACKING_URI).netloc

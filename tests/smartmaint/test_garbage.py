"""Whatever is sent to whichever address of the API, the answer is JSON and no failure of ours."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from pytest_django.live_server_helper import LiveServer

from tests.factories import make_evidence, make_key, make_person, make_sensor

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
BODIES = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[[1]]",
    "NaN": b'{"note": NaN}',
    "a lone surrogate": b'{"note": "\\ud800", "verdict": "confirmed", "username": "\\ud800"}',
    "NUL": b'{"note": "\\u0000", "username": "\\u0000", "password": "\\u0000"}',
    "no UTF-8": b"\xff\xfe",
    "deep": b"[" * 100_000,
}
POSITIONS = ("", "not-a-time", "2026-99", "\0", "9" * 30, "x" * 4000)
VALUES = ("", "null", "-1", "0", "1e9", "NaN", "\0", "٣", "9" * 30, "0001-01-01T00:00:00+14:00")


def addresses() -> list[str]:
    """Of everything that programs call, with a number where one belongs."""
    found = sorted(set(_below(get_resolver().url_patterns)))
    ours = ("api/", "write", "query", "ping", "health", "livez", "readyz", "metrics")
    return [f"/{path}" for path in found if path.startswith(ours)]


def _below(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for each in patterns:
        path = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _below(each.url_patterns, path)
        else:
            yield path.replace("<int:pk>", "1")


def parameters() -> list[tuple[str, str]]:
    """Of everything that can be read: (address, name), as the OpenAPI document says."""
    document = SchemaGenerator().get_schema(request=None, public=True)
    return [
        (re.sub(r"{\w+}", "1", path), stated["name"])
        for path, operations in document["paths"].items()
        for stated in operations.get("get", {}).get("parameters", [])
        if stated["in"] == "query" and path != "/api/schema"
    ]


@pytest.fixture(autouse=True)
def forget_tries() -> Iterator[None]:
    """Tries at a password are counted for the whole process."""
    yield
    cache.clear()


@pytest.fixture
def client() -> Client:
    """Of somebody who may do everything, with something at the numbers; failures fail the test."""
    client = Client()
    client.force_login(make_person(is_staff=True, is_superuser=True))
    make_evidence(sensor=make_sensor(pk=1), pk=1)
    return client


def ask(client: Client, method: str, address: str, body: bytes = b"", **headers: str) -> None:
    answer = client.generic(
        method,
        address,
        body,
        "application/json",
        headers={"Content-Type": "application/json", **headers},
    )
    told = f"{method} {address[:200]} {body[:40]!r}: {answer.status_code} {answer.content[:200]!r}"
    assert answer.status_code < 500 or answer.status_code == 503, told
    if answer.status_code >= 400:
        assert "json" in answer.headers["Content-Type"], told
        assert json.loads(answer.content), told


def test_any_method_and_any_body(client: Client) -> None:
    asked = addresses()
    assert len(asked) > 30
    for address in asked:
        for method in METHODS:
            ask(client, method, address)
        for body in BODIES.values():
            ask(client, "POST", address, body)
            ask(client, "PUT", address, body)


def test_any_value_of_any_parameter(client: Client) -> None:
    asked = parameters()
    assert len(asked) > 40
    for address, name in asked:
        for value in VALUES:
            ask(client, "GET", f"{address}?{name}={quote(value)}")


def test_any_cursor(client: Client) -> None:
    for address in [address for address, name in parameters() if name == "cursor"]:
        for position in POSITIONS:
            cursor = base64.b64encode(f"p={quote(position)}".encode()).decode()
            ask(client, "GET", f"{address}?cursor={quote(cursor)}")


@pytest.mark.parametrize("stated", ["0", "-5", "abc", "", "1e3"])
def test_a_page_of_no_size_is_refused(client: Client, stated: str) -> None:
    answer = client.get(f"/api/v1/sensors?page_size={stated}")
    assert (answer.status_code, list(answer.json()["error"]["details"])) == (400, ["page_size"])


@pytest.mark.django_db(transaction=True)
def test_who_sends_50_mib_is_told_that_it_is_too_much(live_server: LiveServer) -> None:
    _, secret = make_key(scopes=["windows:write"])
    connection = HTTPConnection(live_server.url.removeprefix("http://"), timeout=60)
    said = {"Authorization": f"Api-Key {secret}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/windows", b'"' + b"x" * 50 * 2**20 + b'"', said)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (413, "too_large")
    connection.close()


def test_a_key_in_any_disguise_is_refused_in_json() -> None:
    _, secret = make_key()
    for said in (
        "Api-Key",
        "Api-Key x",
        f"Api-Key {secret}\0",
        "Api-Key é.é",
        "Bearer x.y.z",
        "Basic /",
    ):
        for address in ("/api/v1/sensors", "/api/v1/readings", "/api/schema", "/api/v2/write"):
            ask(Client(), "POST", address, b"[]", Authorization=said)

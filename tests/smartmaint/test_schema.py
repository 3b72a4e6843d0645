"""The OpenAPI document and its page: complete, valid, and without the Internet."""

import re
from functools import cache
from typing import Any

import yaml
from django.core.management import call_command
from django.test import Client

METHODS = {"get", "post", "put", "patch", "delete"}


@cache
def schema() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Client().get("/api/schema").content)
    return found


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in schema()["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def test_the_schema_is_valid_and_nothing_in_it_was_guessed() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file="/dev/null")


def test_the_contract_is_in_it() -> None:
    described = {(method, path) for path, method, _ in operations()}
    assert {
        ("post", "/api/v1/readings"),
        ("get", "/api/v1/sensors"),
        ("get", "/api/v1/sensors/{id}"),
        ("get", "/api/v1/sensors/{id}/readings"),
        ("get", "/api/v1/anomalies"),
        ("get", "/api/v1/anomalies/{id}"),
        ("post", "/api/v1/anomalies/{id}/review"),
        ("get", "/api/v1/models"),
        ("post", "/api/v2/write"),
        ("post", "/write"),
        ("post", "/api/v1/token"),
        ("post", "/api/v1/token/refresh"),
    } <= described


def test_every_operation_says_what_an_error_looks_like() -> None:
    for path, method, operation in operations():
        content = operation["responses"]["default"]["content"]
        reference = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        # Clients of InfluxDB read InfluxDB's errors only.
        known = {"/api/v2/write": "ErrorV2", "/write": "ErrorV1", "/query": "ErrorV1"}
        assert reference == known.get(path, "Error"), (method, path)


def test_devices_and_people_have_their_schemes() -> None:
    schemes = schema()["components"]["securitySchemes"]
    assert schemes["deviceKey"]["name"] == "Authorization"
    assert schemes["jwtAuth"]["scheme"] == "bearer"


def test_sending_readings_needs_a_device_key() -> None:
    assert schema()["paths"]["/api/v1/readings"]["post"]["security"] == [{"deviceKey": []}]


def test_a_login_needs_none() -> None:
    security = schema()["paths"]["/api/v1/token"]["post"].get("security", [])
    assert all(not scheme for scheme in security)


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = Client().get("/api/docs").content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    for address in addresses:
        assert address.startswith("/static/"), address
        assert Client().get(address).status_code == 200, address


def test_the_schema_can_be_had_as_json() -> None:
    answer = Client().get("/api/schema", {"format": "json"})
    assert answer.json()["info"]["title"] == "smartmaint"


def test_names_of_operations_are_unique() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))

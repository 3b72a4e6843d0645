"""What is written as line protocol, and how: plain functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import requests
from influxdb import InfluxDBClient as ClientV1

from sensors.models import Reading

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SECONDS = int(TIME.timestamp())
NS = SECONDS * 10**9 + 678_901_234
V2, V1 = "/api/v2/write", "/write"


def v1_client(url: str, secret: str, **options: Any) -> ClientV1:
    port = int(url.rpartition(":")[2])
    return ClientV1("localhost", port, "any name", secret, "plant", **options)


def post(url: str, body: bytes | str, secret: str, path: str = V2, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else body.encode()
    sent = {"Authorization": f"Token {secret}", **headers}
    return requests.post(f"{url}{path}", data=data, headers=sent, timeout=30)


def stored() -> dict[str, tuple[datetime, float]]:
    rows = Reading.objects.values_list("sensor__external_id", "time", "value")
    return {sensor: (time, value) for sensor, time, value in rows}

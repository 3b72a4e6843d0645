"""Fixtures of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from influxdb import InfluxDBClient as ClientV1
from influxdb_client import InfluxDBClient as ClientV2

from sensors.models import IngestKey
from tests.factories import make_key
from tests.sensors.influx.lines import v1_client


@pytest.fixture
def issued() -> tuple[IngestKey, str]:
    return make_key(rate_per_second=1000.0, burst=1000)


@pytest.fixture
def url(live_server: Any) -> str:
    found: str = live_server.url
    return found


@pytest.fixture
def secret(issued: tuple[IngestKey, str]) -> str:
    return issued[1]


@pytest.fixture
def v2(url: str, secret: str) -> Iterator[ClientV2]:
    with ClientV2(url, token=secret, org="any", retries=False) as client:
        yield client


@pytest.fixture
def v1(url: str, secret: str) -> Iterator[ClientV1]:
    with v1_client(url, secret) as client:
        yield client

"""InfluxDB's official clients, of both versions, write and read what is wrong."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from influxdb import InfluxDBClient as ClientV1
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError
from influxdb_client import InfluxDBClient as ClientV2
from influxdb_client import Point, WriteOptions, WritePrecision
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from sensors import limits
from sensors.models import Reading
from tests.factories import make_key
from tests.sensors.influx.lines import NS, SECONDS, TIME, post, stored, v1_client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("is_zipped", [False, True])
def test_the_v2_client_writes_points(url: str, secret: str, is_zipped: bool) -> None:
    point = (
        Point("my cpu")
        .tag("host", "web,1")
        .tag("a=b", "c d")
        .field("idle", 98.25)
        .field("count", 7)
        .field("ok", True)
        .field("text", 'say "hi"\nand more')
        .time(NS)
    )
    with ClientV2(url, token=secret, org="any", enable_gzip=is_zipped) as client:
        client.write_api(write_options=SYNCHRONOUS).write("plant", record=point)
    tags = ",a=b=c d,host=web,1"
    assert stored() == {
        f"my cpu.idle{tags}": (TIME, 98.25),
        f"my cpu.count{tags}": (TIME, 7.0),
        f"my cpu.ok{tags}": (TIME, 1.0),
    }


def test_the_v2_clients_precisions(v2: ClientV2) -> None:
    api = v2.write_api(write_options=SYNCHRONOUS)
    cut = {
        WritePrecision.NS: 678901,
        WritePrecision.US: 678901,
        WritePrecision.MS: 678000,
        WritePrecision.S: 0,
    }
    precision: Any
    for precision in cut:
        point = Point(str(precision)).field("f", 1.0).time(TIME, precision)
        api.write("plant", record=point, write_precision=precision)
    assert stored() == {
        f"{precision}.f": (TIME.replace(microsecond=microsecond), 1.0)
        for precision, microsecond in cut.items()
    }


def test_the_v2_client_writes_lines_and_dictionaries(v2: ClientV2) -> None:
    row = {"measurement": "d", "tags": {"t": "x"}, "fields": {"f": 2}, "time": NS}
    v2.write_api(write_options=SYNCHRONOUS).write("plant", record=[f"m f=1 {NS}", row])
    assert stored() == {"m.f": (TIME, 1.0), "d.f,t=x": (TIME, 2.0)}


class Heard:
    """What a batching client reports."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.failed: list[InfluxDBError] = []
        self.retried = threading.Event()

    def success(self, _conf: Any, data: str) -> None:
        self.written.append(data)

    def error(self, _conf: Any, _data: str, error: InfluxDBError) -> None:
        self.failed.append(error)

    def retry(self, _conf: Any, _data: str, _error: InfluxDBError) -> None:
        self.retried.set()


def batching(client: ClientV2, heard: Heard, **options: Any) -> Any:
    return client.write_api(
        write_options=WriteOptions(**{"batch_size": 500, "flush_interval": 200, **options}),
        success_callback=heard.success,
        error_callback=heard.error,
        retry_callback=heard.retry,
    )


def test_the_batching_client_writes_everything_once(v2: ClientV2) -> None:
    heard = Heard()
    # What is left is sent at the end; a pause of a busy machine makes no batch of its own.
    with batching(v2, heard, flush_interval=60_000) as api:
        for i in range(1200):
            api.write(
                "plant", record=Point("m").tag("t", str(i % 7)).field("f", i).time(NS + i * 10**9)
            )
    assert heard.failed == []
    assert len(heard.written) == 3
    assert Reading.objects.count() == 1200


def test_the_batching_client_waits_when_it_is_told_to(url: str) -> None:
    _, secret = make_key(rate_per_second=1.0, burst=1)
    heard = Heard()
    with ClientV2(url, token=secret, org="any") as client:
        assert post(url, "m f=0 0", secret).status_code == 204
        # Its own pause would be a minute; Retry-After is a second.
        with batching(client, heard, retry_interval=60_000, max_retries=3) as api:
            api.write("plant", record=f"m f=1 {NS}")
    assert heard.retried.is_set()
    assert heard.failed == []
    assert stored()["m.f"][1] in {0.0, 1.0}
    assert Reading.objects.count() == 2


def test_the_batching_client_sends_again_after_a_503(
    v2: ClientV2, url: str, secret: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BACKLOG_RETRY_S", 1.0)
    settings.INGEST_MAX_BACKLOG = 0
    assert post(url, "other f=0 0", secret).status_code == 204
    monkeypatch.setattr(limits, "backlog", limits.Backlog())
    heard = Heard()
    refused = heard.retry

    def relieve(*args: Any) -> None:
        settings.INGEST_MAX_BACKLOG = 1000
        monkeypatch.setattr(limits, "backlog", limits.Backlog())
        refused(*args)

    heard.retry = relieve  # type: ignore[method-assign,assignment]
    with batching(v2, heard, retry_interval=60_000) as api:
        api.write("plant", record=f"m f=1 {NS}")
    assert heard.retried.is_set()
    assert heard.failed == []
    assert stored()["m.f"] == (TIME, 1.0)


def test_the_v2_client_reads_what_is_wrong(v2: ClientV2) -> None:
    with pytest.raises(ApiException) as caught:
        v2.write_api(write_options=SYNCHRONOUS).write("plant", record=f"m f=1 {NS}\nm f=oops\nm")
    error = InfluxDBError(response=caught.value.response)
    assert caught.value.status == 400
    assert error.message == (
        "partial write: line 2: unable to parse 'm f=oops': invalid boolean\n"
        "line 3: unable to parse 'm': missing fields dropped=2"
    )
    assert stored() == {"m.f": (TIME, 1.0)}


def test_the_v2_client_finds_the_server(v2: ClientV2) -> None:
    assert v2.ping()
    assert v2.version() == "2.0.0+smartmaint"
    assert v2.build() == "smartmaint"
    with pytest.warns(DeprecationWarning, match="ping"):
        assert v2.health().status == "pass"


@pytest.mark.parametrize("is_zipped", [False, True])
def test_the_v1_client_writes_points(url: str, secret: str, is_zipped: bool) -> None:
    points = [
        {
            "measurement": "my cpu",
            "tags": {"host": "web,1", "core": "0"},
            "time": TIME,
            "fields": {"idle": 98.25, "count": 7, "ok": True, "text": 'say "hi"'},
        }
    ]
    with v1_client(url, secret, gzip=is_zipped) as client:
        client.create_database("plant")
        assert client.write_points(points, time_precision="u")
    tags = ",core=0,host=web,1"
    assert stored() == {
        f"my cpu.idle{tags}": (TIME, 98.25),
        f"my cpu.count{tags}": (TIME, 7.0),
        f"my cpu.ok{tags}": (TIME, 1.0),
    }


def test_the_v1_clients_precisions(v1: ClientV1) -> None:
    cut = {
        "n": TIME,
        "u": TIME,
        "ms": TIME.replace(microsecond=678000),
        "s": TIME.replace(microsecond=0),
        "m": TIME.replace(second=0, microsecond=0),
        "h": TIME.replace(minute=0, second=0, microsecond=0),
    }
    for precision in cut:
        point = {"measurement": precision, "time": TIME, "fields": {"f": 1.5}}
        v1.write_points([point], time_precision=precision)
    assert stored() == {f"{precision}.f": (time, 1.5) for precision, time in cut.items()}


def test_the_v1_client_writes_lines_in_batches(v1: ClientV1) -> None:
    lines = [f"m,t={i % 3} f={i} {SECONDS + i}" for i in range(100)]
    assert v1.write_points(lines, time_precision="s", protocol="line", batch_size=30)
    assert Reading.objects.count() == 100
    assert v1.ping() == "2.0.0+smartmaint"


def test_the_v1_client_reads_what_is_wrong(v1: ClientV1) -> None:
    with pytest.raises(InfluxDBClientError) as caught:
        v1.write([f"m f=1 {NS}", "m f=oops"], {"db": "plant"}, protocol="line")
    assert caught.value.code == 400
    assert "partial write: line 2" in str(caught.value)
    assert "dropped=1" in str(caught.value)
    assert stored() == {"m.f": (TIME, 1.0)}


def test_the_v1_client_is_told_to_come_back(url: str) -> None:
    _, secret = make_key(rate_per_second=0.1, burst=1)
    with v1_client(url, secret) as client:
        client.write(["m f=1 1000"], {"db": "plant"}, protocol="line")
        with pytest.raises(InfluxDBServerError):
            client.write(["m f=1 1000"], {"db": "plant"}, protocol="line")

"""What clients of InfluxDB meet: the official ones, Telegraf's lines, InfluxDB's own answers."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import requests
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from influxdb import InfluxDBClient as ClientV1
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError
from influxdb_client import InfluxDBClient as ClientV2
from influxdb_client import Point, WriteOptions, WritePrecision
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from sensors import limits, quarantine, store
from sensors.models import IngestKey, QuarantinedReading, Reading, Sensor
from smartmaint.lib.breaker import Breaker
from smartmaint.lib.turnstile import Turnstile
from tests.factories import make_key, make_sensor, make_site

pytestmark = pytest.mark.django_db(transaction=True)

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SECONDS = int(TIME.timestamp())
NS = SECONDS * 10**9 + 678_901_234
V2, V1 = "/api/v2/write", "/write"


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


# --- the official clients -------------------------------------------------------------------------


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
    with batching(v2, heard) as api:
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


# --- Telegraf -------------------------------------------------------------------------------------

# The inputs cpu, mem, disk, diskio, net, system, processes and kernel, as its pages show them.
TELEGRAF = """\
cpu,cpu=cpu0,host=web1 time_user=5238.4,time_system=1231.9,usage_user=0.6,usage_idle=98.8 {t}
cpu,cpu=cpu-total,host=web1 usage_guest=0,usage_idle=99.1,usage_iowait=0.05 {t}
mem,host=web1 active=6347694080i,available=11131109376i,used_percent=30.25,swap_free=0i {t}
disk,device=sda2,fstype=ext4,host=web1,mode=rw,path=/ free=88i,total=99u,used_percent=11.5 {t}
diskio,host=web1,name=sda,serial=a\\ b\\,c reads=2762i,iops_in_progress=0i {t}
net,host=web1,interface=eth0 bytes_sent=4177i,speed=1000i {t}
system,host=web1 load1=3.72,load5=2.4,n_users=3i,n_cpus=4i {t}
system,host=web1 uptime=1249632i {t}
system,host=web1 uptime_format="14 days, 11:07" {t}
processes,host=web1 running=1i,sleeping=310i,total=311i {t}
kernel,host=web1 boot_time=1457505775i,context_switches=2626618i {t}
dns_query,domain=a.b,result=success rcode=NOERROR_IS_NO_TAG {t}
win_services,host=web1 state=4i,startup_mode=2i,display_name="a \\"b\\", c=d",on=true {t}
"""


def test_telegrafs_lines_are_stored_and_its_strings_are_no_fault(url: str, secret: str) -> None:
    good = "".join(
        line for line in TELEGRAF.format(t=NS).splitlines(True) if not line.startswith("dns_query")
    )
    answer = post(
        url,
        gzip.compress(good.encode()),
        secret,
        f"{V2}?org=o&bucket=telegraf",
        **{"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"},
    )
    assert (answer.status_code, answer.content) == (204, b"")
    found = stored()
    assert found["mem.available,host=web1"] == (TIME, 11131109376.0)
    assert found["diskio.reads,host=web1,name=sda,serial=a b,c"] == (TIME, 2762.0)
    assert found["win_services.on,host=web1"] == (TIME, 1.0)
    assert not any("uptime_format" in sensor or "display_name" in sensor for sensor in found)
    assert not QuarantinedReading.objects.exists()
    # Again, as after an answer that was lost: nothing changes.
    assert post(url, good, secret).status_code == 204
    assert stored() == found


def test_one_bad_line_of_telegraf_costs_no_other(url: str, secret: str) -> None:
    answer = post(url, TELEGRAF.format(t=NS), secret)
    assert answer.status_code == 400
    assert answer.json()["line"] == 12
    held = QuarantinedReading.objects.get()
    assert (held.category, held.code, held.source) == ("validation", "line_invalid", "influx")
    assert "NOERROR" in held.payload
    assert len(stored()) > 25


def test_telegrafs_v1_output_creates_its_database_first(url: str, secret: str) -> None:
    basic = ("telegraf", secret)
    made = requests.post(
        f"{url}/query", data={"q": 'CREATE DATABASE "telegraf"'}, auth=basic, timeout=30
    )
    assert (made.status_code, made.json()) == (200, {"results": [{"statement_id": 0}]})
    wrote = requests.post(
        f"{url}/write?db=telegraf&consistency=any&rp=x", data=f"m f=1 {NS}", auth=basic, timeout=30
    )
    assert wrote.status_code == 204
    assert stored() == {"m.f": (TIME, 1.0)}


def test_any_other_query_is_answered_with_an_error(url: str, secret: str) -> None:
    for statement in (
        "SHOW DATABASES",
        "CREATE DATABASE",
        'CREATE DATABASE "x"; DROP DATABASE "x"',
    ):
        answer = requests.post(
            f"{url}/query", params={"q": statement}, auth=("", secret), timeout=30
        )
        assert answer.status_code == 400
        assert "only CREATE DATABASE" in answer.json()["error"]


# --- answers --------------------------------------------------------------------------------------


def test_when_nothing_was_stored_the_write_is_not_called_partial(url: str, secret: str) -> None:
    message = post(url, "m", secret).json()["message"]
    assert message == "line 1: unable to parse 'm': missing fields dropped=1"


def test_what_the_agent_refuses_is_named_by_its_line(url: str, secret: str) -> None:
    ahead = NS + 10 * 365 * 86400 * 10**9
    answer = post(url, f"# comment\nm a=1,b=2 {NS}\n\nm c=3,d=4 {ahead}\n", secret)
    assert answer.status_code == 400
    assert answer.json()["line"] == 4
    assert answer.json()["message"].count("line 4: ") == 2
    assert set(stored()) == {"m.a", "m.b"}
    assert QuarantinedReading.objects.count() == 2


def test_many_bad_lines_are_counted_and_some_are_named(url: str, secret: str) -> None:
    message = post(url, "oops\n" * 300, secret).json()["message"]
    assert message.count("line ") == 100
    assert message.endswith("dropped=300")


def test_what_is_asked_before_writing_needs_no_key(url: str) -> None:
    for method in ("GET", "HEAD"):
        answer = requests.request(method, f"{url}/ping", timeout=30)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["X-Influxdb-Version"]
    assert requests.get(f"{url}/health", timeout=30).json()["status"] == "pass"


def test_while_the_store_is_away_health_says_so_and_writers_wait(
    url: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Breaker("store", failures=1, cool_down_s=30)
    with pytest.raises(ZeroDivisionError):
        broken.call(lambda: 1 / 0)
    monkeypatch.setattr(store, "breaker", broken)
    health = requests.get(f"{url}/health", timeout=30)
    assert (health.status_code, health.json()["status"]) == (503, "fail")
    for path in (V2, V1):
        answer = post(url, f"m f=1 {NS}", secret, path)
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["Retry-After"]) <= 30


REFUSALS = [
    pytest.param(b"m f=1", {"Content-Encoding": "gzip"}, "", 400, "invalid", id="no gzip"),
    pytest.param(
        b"m f=1", {"Content-Encoding": "br"}, "", 415, "unsupported media type", id="brotli"
    ),
    pytest.param(b"m f=1", {}, "precision=week", 400, "invalid", id="precision"),
    pytest.param(b" " * (6 * 2**20), {}, "", 413, "request too large", id="6 MiB"),
    pytest.param(b"m f=1\n" * 50_001, {}, "", 413, "request too large", id="50,001 readings"),
    pytest.param(b"m f=1", {"Authorization": "Token x"}, "", 401, "unauthorized", id="wrong key"),
    pytest.param(b"m f=1", {"Authorization": ""}, "", 401, "unauthorized", id="no key"),
    pytest.param(b"m f=1", {"Authorization": "Basic ???"}, "", 401, "unauthorized", id="no Basic"),
    pytest.param(b"m f=1", {"Authorization": "Digest x"}, "", 401, "unauthorized", id="Digest"),
]


@pytest.mark.parametrize(("body", "headers", "query", "status", "code"), REFUSALS)
def test_a_refusal_has_the_form_that_clients_read(
    url: str, secret: str, body: bytes, headers: dict[str, str], query: str, status: int, code: str
) -> None:
    v2 = post(url, body, secret, f"{V2}?{query}", **headers)
    assert (v2.status_code, v2.json()["code"]) == (status, code)
    assert v2.json()["message"]
    assert v2.headers["X-Platform-Error-Code"] == code
    v1 = post(url, body, secret, f"{V1}?{query}", **headers)
    assert v1.status_code == status
    assert v1.headers["X-Influxdb-Error"] == v1.json()["error"]
    assert not Reading.objects.exists()
    assert not QuarantinedReading.objects.exists()


def test_an_error_in_a_header_is_one_line_of_ascii(url: str, secret: str) -> None:
    answer = post(url, "é\r\nm,t\n" * 200, secret, V1)
    assert "é" in answer.json()["error"]
    assert answer.headers["X-Influxdb-Error"].isprintable()
    assert answer.headers["X-Influxdb-Error"].isascii()
    assert len(answer.headers["X-Influxdb-Error"]) <= 500


def test_past_its_rate_a_key_is_told_to_wait(url: str) -> None:
    _, secret = make_key(rate_per_second=0.1, burst=1)
    assert post(url, "m f=1 1000", secret).status_code == 204
    v2, v1 = post(url, "m f=1 1000", secret), post(url, "m f=1 1000", secret, V1)
    assert (v2.status_code, v2.json()["code"]) == (429, "too many requests")
    assert v1.status_code == 503
    for answer in (v2, v1):
        assert 1 <= int(answer.headers["Retry-After"]) <= 10


@pytest.mark.parametrize(("path", "where"), [(V2, "message"), (V1, "error")])
def test_a_client_that_is_one_too_many_reads_why(
    url: str, secret: str, monkeypatch: pytest.MonkeyPatch, path: str, where: str
) -> None:
    monkeypatch.setattr(limits, "turnstile", Turnstile(inside=1, waiting=0, patience_s=0))
    with limits.turnstile.passing():
        answer = post(url, "m f=1 1000", secret, path)
    assert answer.status_code == 503
    assert "at once" in answer.json()[where]
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_key_that_may_only_read_is_403(url: str) -> None:
    _, secret = make_key(scopes=["read"])
    answer = post(url, "m f=1", secret)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_other_methods_are_405(url: str, secret: str) -> None:
    answer = requests.get(f"{url}{V2}", headers={"Authorization": f"Token {secret}"}, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (405, "method not allowed")


# --- keys and sites -------------------------------------------------------------------------------


def test_a_key_is_read_where_clients_put_it(url: str, secret: str) -> None:
    for header in (
        f"Token {secret}",
        f"token name:{secret}",
        f"Bearer {secret}",
        f"Api-Key {secret}",
    ):
        assert post(url, "m f=1 1000", secret, Authorization=header).status_code == 204
    for path in (V1, V2):
        with_p = requests.post(
            f"{url}{path}", params={"u": "x", "p": secret}, data="m f=1 1000", timeout=30
        )
        assert with_p.status_code == 204
    assert Reading.objects.count() == 1


def test_the_key_says_which_site_whatever_bucket_is_named(
    url: str, issued: tuple[IngestKey, str]
) -> None:
    other = make_site(slug="other")
    theirs = make_sensor(site=other, external_id="m.f")
    assert post(url, "m f=1 1000", issued[1], f"{V2}?bucket=other&org=other").status_code == 204
    assert Reading.objects.get().sensor.site == issued[0].site
    assert not Reading.objects.filter(sensor=theirs).exists()


def test_a_key_has_its_own_template(url: str) -> None:
    _, secret = make_key(line_template="{bucket}/{tag:machine}/{measurement}")
    line = f"temperature,machine=mill-9,line=2 value=81.2 {NS}"
    assert post(url, line, secret, f"{V2}?bucket=hall").status_code == 204
    assert post(url, line, secret, f"{V1}?db=cellar").status_code == 204
    assert set(stored()) == {"hall/mill-9/temperature", "cellar/mill-9/temperature"}
    assert set(Sensor.objects.values_list("kind", flat=True)) == {"temperature"}
    missing = post(url, line, secret)
    assert (missing.status_code, missing.json()["code"]) == (400, "invalid")
    assert "bucket" in missing.json()["message"]


def test_a_refused_line_is_accepted_after_its_template_was_mended(url: str) -> None:
    key, secret = make_key(line_template="{tag:machine}.{field}")
    body = f'm,host=a f=1,g=2,s="x" {SECONDS}\nm,host=b f=3\nm,host=c f=oops'
    before = timezone.now()
    assert post(url, body, secret, f"{V2}?precision=s").status_code == 400
    rows = QuarantinedReading.objects.order_by("id")
    assert quarantine.replay(rows, now=timezone.now()).accepted == 0

    key.line_template = "{tag:host}.{field}"
    key.save()
    rows = QuarantinedReading.objects.order_by("id")
    receipt = quarantine.replay(rows, now=timezone.now())
    assert (receipt.accepted, receipt.quarantined) == (3, 1)
    found = stored()
    assert found["a.f"] == (TIME.replace(microsecond=0), 1.0)
    assert found["a.g"][1] == 2.0
    assert before <= found["b.f"][0] <= timezone.now()
    waiting = QuarantinedReading.objects.get(replayed_at=None)
    assert "oops" in waiting.payload


def test_a_template_that_cannot_work_is_not_saved() -> None:
    key, _ = make_key()
    key.line_template = "{host}.{field}"
    with pytest.raises(ValidationError, match="no placeholder"):
        key.full_clean()
    make_site(slug="hall")
    with pytest.raises(CommandError, match="no placeholder"):
        call_command("ingest_key", "create", site="hall", name="x", line_template="{host}")
    assert IngestKey.objects.count() == 1


# --- any bytes ------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        b"m",
        b",",
        b"=",
        b" ",
        b"\n",
        b'"',
        b"\\",
        b"#",
        b"\0",
        b"\xff",
        b"1",
        b"t=",
        b" f=1",
        b" 1000",
    ]
)


# One key serves all examples; what they store does not matter to each other.
shared = hypothesis_settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@shared
@given(body=st.lists(PIECES, max_size=20).map(b"".join) | st.binary(max_size=100))
def test_any_bytes_get_a_documented_answer(secret: str, body: bytes) -> None:
    assert without_a_socket(body, secret).status_code in {204, 400}


@shared
@given(
    fields=st.dictionaries(
        st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=20),
        st.floats(-1e100, 1e100),
        min_size=1,
        max_size=5,
    ),
    time=st.integers(0, 2**60),
)
def test_what_is_accepted_reads_back_equal(
    secret: str, fields: dict[str, float], time: int
) -> None:
    Reading.objects.all().delete()
    sent = ",".join(f"{name}={value!r}" for name, value in fields.items())
    assert without_a_socket(f"m {sent} {time}".encode(), secret).status_code == 204
    at = np.datetime64(time // 1000, "us").item().replace(tzinfo=UTC)
    assert {name: (time, value.hex()) for name, (time, value) in stored().items()} == {
        f"m.{name}": (at, value.hex()) for name, value in fields.items()
    }


def without_a_socket(body: bytes, secret: str) -> Any:
    """Through the whole project; what the view does not foresee is raised."""
    client = Client(raise_request_exception=True)
    headers = {"Authorization": f"Token {secret}"}
    return client.post(V2, body, content_type="text/plain", headers=headers)

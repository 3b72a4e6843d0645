"""What a device meets, over real HTTP: a server in a thread, sockets, eight clients at once."""

from __future__ import annotations

import gzip
import http.client
import json
import random
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from sensors import keys, limits
from sensors.models import IngestKey, IngestReceipt, QuarantinedReading, Reading, SensorProfile
from tests.factories import make_key, make_sensor, make_site, rows_of

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = {"sensor": "pump-1/temp", "time": "2026-01-02T03:04:05Z", "value": 21.5}


@dataclass
class Device:
    """A client that says exactly what it is told to."""

    url: str
    secret: str
    headers: dict[str, str] = field(default_factory=dict)

    def post(self, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        status, answer, _ = self.exchange(body, **headers)
        return status, answer

    def exchange(
        self, body: Any, path: str = "/api/v1/readings", method: str = "POST", **headers: str
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {
            "Authorization": f"Api-Key {self.secret}",
            "Content-Type": "application/json",
            **self.headers,
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        try:
            connection.request(method, path, body=data, headers=sent)
            response = connection.getresponse()
            return response.status, json.loads(response.read()), dict(response.headers)
        finally:
            connection.close()


@pytest.fixture
def issued() -> tuple[IngestKey, str]:
    return make_key(rate_per_second=1000.0, burst=1000)


@pytest.fixture
def device(live_server: Any, issued: tuple[IngestKey, str]) -> Device:
    return Device(live_server.url, issued[1])


# --- once only ------------------------------------------------------------------------------------


def test_the_same_batch_from_eight_clients_ten_times_is_stored_once(device: Device) -> None:
    rows = [row for number in range(5) for row in rows_of(f"pump-{number}/temp", n=40)]

    def post_shuffled(turn: int) -> tuple[int, dict[str, Any]]:
        mine = rows.copy()
        random.Random(turn).shuffle(mine)  # noqa: S311  only the order of rows
        return device.post(mine)

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(post_shuffled, range(80)))
    assert {status for status, _ in answers} == {200}
    assert sum(answer["accepted"] for _, answer in answers) == len(rows)
    assert Reading.objects.count() == len({(row["sensor"], row["time"]) for row in rows})
    assert sum(SensorProfile.objects.values_list("count", flat=True)) == len(rows)


def test_an_idempotency_key_gives_the_first_answer_again(device: Device) -> None:
    body = json.dumps([GOOD, {"sensor": "x"}]).encode()
    first = device.post(body, Idempotency_Key="batch-1")
    status, answer, headers = device.exchange(body, Idempotency_Key="batch-1")
    assert (status, answer) == first
    assert answer["accepted"] == 1
    assert headers["Idempotent-Replayed"] == "true"


def test_an_idempotency_key_with_another_body_is_refused(device: Device) -> None:
    device.post([GOOD], Idempotency_Key="batch-1")
    status, answer = device.post([], Idempotency_Key="batch-1")
    assert (status, answer["error"]["code"]) == (422, "idempotency_key_reused")


def test_one_idempotency_key_from_eight_clients_gives_one_answer(device: Device) -> None:
    rows = rows_of(n=50)
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: device.post(rows, Idempotency_Key="k"), range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0] == (200, {"accepted": 50, "duplicates": 0, "quarantined": 0, "errors": []})
    assert IngestReceipt.objects.count() == 1


# --- garbage --------------------------------------------------------------------------------------


def good(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def raw(value: bytes) -> bytes:
    return good().replace(b"21.5", value)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        pytest.param(raw(b"NaN"), "value_not_finite", id="NaN"),
        pytest.param(raw(b"Infinity"), "value_not_finite", id="infinity"),
        pytest.param(raw(b"1e999"), "value_not_finite", id="a number past float8"),
        pytest.param(raw(b'"21.5"'), "value_not_a_number", id="a string value"),
        pytest.param(good(time="9999-12-31T23:59:59Z"), "time_in_future", id="year 9999"),
        pytest.param(good(time="0001-01-01T00:00:00Z"), "time_invalid", id="year 1"),
        pytest.param(b'{"sensor": "a", "value": 1}', "missing_field", id="a missing field"),
        pytest.param(good(kind="teleport"), "unknown_kind", id="an unknown kind"),
        pytest.param(good(sensor="x" * 10_240), "sensor_invalid", id="an id of 10 kB"),
        pytest.param(good(sensor="a\0b"), "sensor_invalid", id="NUL"),
        pytest.param(good(sensor="\udcff"), "sensor_invalid", id="a lone surrogate"),
    ],
)
def test_a_bad_row_is_quarantined_and_its_neighbours_land(
    device: Device, row: bytes, code: str
) -> None:
    rows = [good(sensor="a"), row, good(sensor="b")]
    status, answer = device.post(b"[" + b",".join(rows) + b"]")
    assert status == 200
    assert (answer["accepted"], answer["duplicates"], answer["quarantined"]) == (2, 0, 1)
    [error] = answer["errors"]
    assert (error["index"], error["code"]) == (1, code)
    assert set(error) == {"index", "category", "code", "detail"}
    held = QuarantinedReading.objects.get()
    assert (held.category, held.code) == (error["category"], code)
    assert Reading.objects.count() == 2


GZIP = {"Content_Encoding": "gzip"}
LONG_KEY = {"Idempotency_Key": "x" * 201}


def too_many() -> bytes:
    return b"[" + b"{}," * 50_000 + b"{}]"


def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join(packer.compress(b" " * 2**20) for _ in range(80)) + packer.flush()


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        pytest.param(lambda: b'[{"sensor": ', {}, 400, "json_invalid", id="broken JSON"),
        pytest.param(lambda: b"\xff\xff", {}, 400, "not_utf8", id="no UTF-8"),
        pytest.param(lambda: b"", {}, 400, "json_invalid", id="no body"),
        pytest.param(lambda: b"[" * 200_000, {}, 400, "json_too_deep", id="deep nesting"),
        pytest.param(lambda: b"{}", {}, 400, "not_a_batch", id="not a batch"),
        pytest.param(lambda: b" " * (6 * 2**20), {}, 413, "body_too_large", id="6 MiB"),
        pytest.param(bomb, GZIP, 413, "body_too_large", id="a gzip bomb"),
        pytest.param(lambda: b"[]", GZIP, 400, "gzip_invalid", id="no gzip"),
        pytest.param(
            lambda: gzip.compress(b"[]")[:-5], GZIP, 400, "gzip_invalid", id="half a gzip"
        ),
        pytest.param(
            lambda: b"[]", {"Content_Encoding": "br"}, 415, "unsupported_media_type", id="brotli"
        ),
        pytest.param(
            lambda: b"<r/>", {"Content_Type": "text/xml"}, 415, "unsupported_media_type", id="XML"
        ),
        pytest.param(too_many, {}, 413, "too_many_readings", id="50,001 readings"),
        pytest.param(
            lambda: b"[]", LONG_KEY, 400, "idempotency_key_invalid", id="long key"
        ),
    ],
)  # fmt: skip
def test_a_bad_request_gets_its_own_answer_and_leaves_nothing(
    device: Device, body: Callable[[], bytes], headers: dict[str, str], status: int, code: str
) -> None:
    found, answer = device.post(body(), **headers)
    assert (found, answer["error"]["code"]) == (status, code)
    assert answer["error"]["message"]
    assert not Reading.objects.exists()
    assert not QuarantinedReading.objects.exists()


def test_gzip_in_several_members_is_read(device: Device) -> None:
    body = gzip.compress(b"[") + gzip.compress(json.dumps(GOOD).encode()) + gzip.compress(b"]")
    assert device.post(body, Content_Encoding="gzip")[1]["accepted"] == 1


def test_an_empty_batch_is_accepted(device: Device) -> None:
    assert device.post([]) == (
        200,
        {"accepted": 0, "duplicates": 0, "quarantined": 0, "errors": []},
    )


# --- who is calling -------------------------------------------------------------------------------


def refused(device: Device, secret: str) -> tuple[int, str]:
    status, answer = Device(device.url, secret).post([GOOD])
    assert not Reading.objects.exists()
    return status, answer["error"]["code"]


@pytest.mark.parametrize("secret", ["", "x", "a.b.c", "\xe9" * 30, "0" * 12 + "." + "A" * 43])
def test_a_wrong_key_is_401(device: Device, secret: str) -> None:
    assert refused(device, secret) == (401, "key_invalid")


def test_a_key_with_another_ones_secret_is_401(device: Device) -> None:
    _, other = make_key()
    prefix = device.secret.partition(".")[0]
    assert refused(device, f"{prefix}.{other.partition('.')[2]}") == (401, "key_invalid")


def test_no_key_is_401(device: Device) -> None:
    status, answer = device.post([GOOD], Authorization="Bearer nothing")
    assert (status, answer["error"]["code"]) == (401, "not_authenticated")


def test_a_revoked_key_is_401(device: Device, issued: tuple[IngestKey, str]) -> None:
    keys.revoke(issued[0], now=timezone.now())
    assert refused(device, issued[1]) == (401, "key_invalid")


def test_an_expired_key_is_401(device: Device) -> None:
    _, secret = make_key(expires_at=timezone.now() - timedelta(seconds=1))
    assert refused(device, secret) == (401, "key_invalid")


def test_a_key_that_may_only_read_is_403(device: Device) -> None:
    _, secret = make_key(scopes=["read"])
    assert refused(device, secret) == (403, "scope_missing")


def test_a_key_writes_into_its_own_site_whatever_the_sensor_is_called(
    device: Device, issued: tuple[IngestKey, str]
) -> None:
    theirs = make_sensor(site=make_site(), external_id=GOOD["sensor"])
    device.post([GOOD])
    assert not Reading.objects.filter(sensor=theirs).exists()
    assert Reading.objects.get().sensor.site == issued[0].site


# --- how much -------------------------------------------------------------------------------------


def test_past_its_rate_a_key_is_told_to_wait(live_server: Any) -> None:
    _, secret = make_key(rate_per_second=0.1, burst=2)
    device = Device(live_server.url, secret)
    assert [device.post([])[0] for _ in range(2)] == [200, 200]
    status, answer, headers = device.exchange([])
    assert (status, answer["error"]["code"]) == (429, "throttled")
    assert 1 <= int(headers["Retry-After"]) <= 10


def test_without_redis_readings_are_accepted_and_the_rate_is_kept(
    live_server: Any, settings: Any
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    _, secret = make_key(rate_per_second=0.1, burst=2)
    device = Device(live_server.url, secret)
    assert [device.post([GOOD])[0] for _ in range(3)] == [200, 200, 429]
    assert Reading.objects.count() == 1


def test_while_scoring_is_far_behind_nothing_is_taken(
    device: Device, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.INGEST_MAX_BACKLOG = 0
    assert device.post([GOOD])[0] == 200
    monkeypatch.setattr(limits, "backlog", limits.Backlog())  # its estimate is a second old at most
    status, answer, headers = device.exchange([{**GOOD, "time": "2026-01-02T03:04:06Z"}])
    assert (status, answer["error"]["code"]) == (503, "backlog")
    assert int(headers["Retry-After"]) >= 1
    assert Reading.objects.count() == 1

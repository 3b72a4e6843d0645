"""Answers as InfluxDB gives them."""

from __future__ import annotations

import pytest
import requests

from sensors import limits, store
from sensors.models import QuarantinedReading, Reading
from smartmaint.lib.breaker import Breaker
from smartmaint.lib.turnstile import Turnstile
from tests.factories import make_key
from tests.sensors.influx.lines import NS, V1, V2, post, stored

pytestmark = pytest.mark.django_db(transaction=True)


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

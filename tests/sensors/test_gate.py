"""What an overloaded or throttled server answers, and what it counts."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY
from redis import Redis

from sensors import keys, limits, store
from sensors.models import Reading
from smartmaint.lib.turnstile import Turnstile
from tests.factories import make_key, rows_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _full_bucket(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        client.delete("smartmaint:limit:all")


@pytest.fixture
def secret() -> str:
    return make_key(rate_per_second=1000.0, burst=1000)[1]


def post(secret: str, rows: Any) -> Any:
    return Client().post(
        "/api/v1/readings",
        rows,
        content_type="application/json",
        headers={"Authorization": f"Api-Key {secret}"},
    )


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_too_many_at_once_are_refused_before_anything_is_asked(
    secret: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "turnstile", Turnstile(inside=1, waiting=0, patience_s=0))
    before = counted("smartmaint_refusals_total", reason="busy")
    with limits.turnstile.passing(), CaptureQueriesContext(connection) as queries:
        answer = post(secret, rows_of())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
    assert int(answer["Retry-After"]) >= 1
    assert not queries.captured_queries
    assert not hasattr(answer.wsgi_request, "_body")  # read to be thrown away, not to be kept
    assert counted("smartmaint_refusals_total", reason="busy") == before + 1
    assert not caplog.records  # thousands a second may come
    assert post(secret, rows_of()).status_code == 200


def test_what_reads_is_let_through_while_writers_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "turnstile", Turnstile(inside=1, waiting=0, patience_s=0))
    with limits.turnstile.passing():
        assert Client().get("/livez").status_code == 200
        assert Client().get("/readyz").json()["ingest"]["in_flight"] == 1


def test_all_keys_together_have_a_limit(settings: Any, secret: str) -> None:
    settings.INGEST_GLOBAL_RATE_PER_SECOND, settings.INGEST_GLOBAL_BURST = 0.1, 2
    other = make_key()[1]
    before = counted("smartmaint_refusals_total", reason="global_rate")
    assert [post(one, rows_of()).status_code for one in (secret, other)] == [200, 200]
    answer = post(other, rows_of(sensor="late"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "global_rate")
    assert 9 <= int(answer["Retry-After"]) <= 10
    assert not Reading.objects.filter(sensor__external_id="late").exists()
    assert counted("smartmaint_refusals_total", reason="global_rate") == before + 1


def test_a_key_over_its_rate_takes_nothing_from_the_others(settings: Any, secret: str) -> None:
    settings.INGEST_GLOBAL_RATE_PER_SECOND, settings.INGEST_GLOBAL_BURST = 0.1, 2
    slow = make_key(rate_per_second=0.1, burst=1)[1]
    assert [post(slow, rows_of()).status_code for _ in range(5)] == [200, 429, 429, 429, 429]
    assert post(secret, rows_of()).status_code == 200


def test_a_share_of_a_fast_bucket_is_used_before_redis_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, _ = make_key(rate_per_second=200.0, burst=1000)
    asked: list[str] = []
    take = limits._take_shared

    def counting(name: str, rate: float, burst: int) -> float:
        asked.append(name)
        return take(name, rate, burst)

    monkeypatch.setattr(limits, "_take_shared", counting)
    assert [limits.seconds_to_wait(key) for _ in range(40)] == [0.0] * 40
    assert len(asked) == 4


def test_shares_never_give_more_than_the_bucket_holds() -> None:
    key, _ = make_key(rate_per_second=20.0, burst=30)
    granted = sum(limits.seconds_to_wait(key) == 0.0 for _ in range(60))
    assert 30 <= granted < 45  # the burst, and what flows in while the test runs


def test_a_store_that_is_away_is_asked_by_few_calls_only(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def away(*_: Any, **__: Any) -> None:
        asked.append(1)
        raise OperationalError("connection refused")

    monkeypatch.setattr(keys, "find", away)
    answers = [post(secret, rows_of()) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer["Retry-After"]) >= 1 for answer in answers)
    assert len(asked) == 5
    assert store.breaker.state == "open"


def test_what_came_and_what_became_of_it_is_counted(secret: str) -> None:
    names = {
        "accepted": ("smartmaint_readings_total", {"outcome": "accepted"}),
        "rejected": (
            "smartmaint_rejected_rows_total",
            {"category": "validation", "code": "missing_field"},
        ),
        "batches": ("smartmaint_batch_readings_count", {}),
        "rows": ("smartmaint_batch_readings_sum", {}),
        "bytes": ("smartmaint_ingest_bytes_total", {}),
        "answers": ("smartmaint_ingest_seconds_count", {"status": "200"}),
    }
    before = {name: counted(sample, **labels) for name, (sample, labels) in names.items()}
    answer = post(secret, [*rows_of(n=3), {"sensor": "a"}, {"sensor": "b"}])
    assert answer.status_code == 200
    body = int(answer.wsgi_request.headers["Content-Length"])
    grown = {
        name: counted(sample, **labels) - before[name] for name, (sample, labels) in names.items()
    }
    assert grown == {
        "accepted": 3, "rejected": 2, "batches": 1, "rows": 5, "bytes": body, "answers": 1,
    }  # fmt: skip
    assert counted("smartmaint_ingest_in_flight") == 0

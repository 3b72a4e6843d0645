"""The bucket that all web processes share, and what happens when it is away."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sensors import limits
from smartmaint.lib import breaker
from tests.factories import make_key

pytestmark = pytest.mark.django_db


def test_the_bucket_is_shared_and_fills_again() -> None:
    key, _ = make_key(rate_per_second=20.0, burst=2)
    assert [limits.seconds_to_wait(key) for _ in range(2)] == [0.0, 0.0]
    limits._local.clear()  # another process has no local memory of this key
    wait = limits.seconds_to_wait(key)
    assert 0 < wait <= 0.05
    time.sleep(wait + 0.01)
    assert limits.seconds_to_wait(key) == 0.0
    assert not limits._local


def test_keys_do_not_drink_from_each_others_buckets() -> None:
    one, other = (make_key(rate_per_second=0.1, burst=1)[0] for _ in range(2))
    assert limits.seconds_to_wait(one) == 0.0
    assert limits.seconds_to_wait(one) > 0
    assert limits.seconds_to_wait(other) == 0.0


def test_a_rate_of_nothing_means_the_setting(settings: Any) -> None:
    settings.INGEST_KEY_RATE_PER_SECOND, settings.INGEST_KEY_BURST = 0.1, 1
    key, _ = make_key()
    key.rate_per_second, key.burst = 0.0, 0  # as the admin once let it be
    assert limits.seconds_to_wait(key) == 0.0
    assert 9 < limits.seconds_to_wait(key) <= 10


def test_without_redis_the_process_keeps_count_and_stops_asking(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    key, _ = make_key(rate_per_second=0.1, burst=3)
    assert [limits.seconds_to_wait(key) for _ in range(3)] == [0.0] * 3
    assert 9 < limits.seconds_to_wait(key) <= 10
    assert limits.limiter_breaker.state == breaker.State.OPEN

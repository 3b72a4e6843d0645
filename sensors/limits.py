"""How much a device may send: a token bucket per key, and a stop while scoring is far behind.

The bucket that all web processes share is in Redis. While Redis is away each process keeps its own,
so a key then gets at most its rate times the number of processes.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from functools import cache
from threading import Lock

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from sensors.models import IngestKey, ScoringNote
from smartmaint.lib import breaker
from smartmaint.lib.token_bucket import TokenBucket

BACKLOG_RETRY_S = 10.0
_BACKLOG_CACHE_S = 1.0
_MAX_LOCAL_BUCKETS = 10_000
# Longer than a healthy Redis ever takes, short enough for the request that finds it away.
_REDIS_TIMEOUT_S = 0.25

# Returns the seconds to wait as a string (Lua numbers become integers), "0" when granted. The time
# is Redis's own, so the clocks of several web hosts need not agree.
_TAKE = """
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(held[1]) or burst)
    + math.max(0, now - (tonumber(held[2]) or now)) * rate)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return tostring(wait)
"""

limiter_breaker = breaker.Breaker("limiter", failures=2, cool_down_s=10)
_local: OrderedDict[int, TokenBucket] = OrderedDict()
_local_lock = Lock()


def seconds_to_wait(key: IngestKey) -> float:
    """0.0 when the key may make a call now, else the seconds until it may."""
    rate = max(key.rate_per_second or settings.INGEST_KEY_RATE_PER_SECOND, 1e-3)
    burst = max(key.burst or settings.INGEST_KEY_BURST, 1)
    try:
        return limiter_breaker.call(
            lambda: _take_shared(key.pk, rate, burst), on=(redis.RedisError,)
        )
    except (redis.RedisError, breaker.Open):
        return _local_bucket(key.pk, rate, burst).take()


class Backlog:
    """Whether more waits to be scored than the setting allows; asks at most once a second.

    The count stops at the limit, so it costs the same however much waits.
    """

    def __init__(self) -> None:
        self._is_full = False
        self._asked_at = float("-inf")

    def is_full(self) -> bool:
        if time.monotonic() - self._asked_at >= _BACKLOG_CACHE_S:
            limit = settings.INGEST_MAX_BACKLOG
            waiting = ScoringNote.objects.open().order_by()[: limit + 1].count()
            self._is_full = waiting > limit
            self._asked_at = time.monotonic()
        return self._is_full


backlog = Backlog()


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=_REDIS_TIMEOUT_S,
        socket_connect_timeout=_REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def _take_shared(key_id: int, rate: float, burst: int) -> float:
    take = _client(settings.REDIS_URL).register_script(_TAKE)
    return float(take(keys=[f"smartmaint:limit:{key_id}"], args=[rate, burst]))


def _local_bucket(key_id: int, rate: float, burst: int) -> TokenBucket:
    with _local_lock:
        bucket = _local.pop(key_id, None)
        if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
            bucket = TokenBucket(rate, burst)
        _local[key_id] = bucket
        if len(_local) > _MAX_LOCAL_BUCKETS:
            _local.popitem(last=False)
        return bucket

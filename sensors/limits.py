"""How much is taken in: a token bucket per key and one for all, a turnstile in each web process,
and a stop while scoring is far behind.

The buckets that all web processes share are in Redis. While Redis is away each process keeps its
own, so a key then gets at most its rate times the number of processes.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from functools import cache
from threading import Lock
from typing import TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from sensors.models import IngestKey, ScoringNote
from smartmaint.lib import breaker
from smartmaint.lib.token_bucket import TokenBucket
from smartmaint.lib.turnstile import Turnstile

T = TypeVar("T")

BACKLOG_RETRY_S = 10.0
_BACKLOG_CACHE_S = 1.0
_MAX_REMEMBERED = 10_000
# Longer than a healthy Redis ever takes, short enough for the request that finds it away.
_REDIS_TIMEOUT_S = 0.25

# A process takes so many seconds' worth of a bucket at once and uses it within that many seconds:
# who calls often costs Redis little, who calls seldom takes one call at a time.
_SHARE_S, _SHARE_LASTS_S = 0.05, 1.0

# Takes up to ARGV[3] tokens. Returns how many and the seconds to wait when none, as strings (Lua
# numbers become integers). The time is Redis's own, so the clocks of several web hosts need not
# agree.
_TAKE = """
local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(held[1]) or burst)
    + math.max(0, now - (tonumber(held[2]) or now)) * rate)
local granted, wait = math.min(wanted, math.floor(tokens)), 0
if granted >= 1 then tokens = tokens - granted else wait = (1 - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {tostring(granted), tostring(wait)}
"""

limiter_breaker = breaker.Breaker("limiter", failures=2, cool_down_s=10)
turnstile = Turnstile(
    inside=settings.INGEST_MAX_IN_FLIGHT,
    waiting=settings.INGEST_MAX_WAITING,
    patience_s=settings.INGEST_MAX_WAIT_SECONDS,
)
_local: OrderedDict[str, TokenBucket] = OrderedDict()
_shares: OrderedDict[str, tuple[int, float]] = OrderedDict()
_lock = Lock()


def seconds_to_wait(key: IngestKey) -> float:
    """0.0 when the key may make a call now, else the seconds until it may."""
    rate = key.rate_per_second or settings.INGEST_KEY_RATE_PER_SECOND
    return _wait(str(key.pk), rate, key.burst or settings.INGEST_KEY_BURST)


def seconds_to_wait_for_all() -> float:
    """The same for all keys together; 0.0 where no such limit is set."""
    rate = settings.INGEST_GLOBAL_RATE_PER_SECOND
    return _wait("all", rate, settings.INGEST_GLOBAL_BURST) if rate else 0.0


def _wait(name: str, rate: float, burst: int) -> float:
    rate, burst = max(rate, 1e-3), max(burst, 1)
    if _has_share(name):
        return 0.0
    try:
        return limiter_breaker.call(lambda: _take_shared(name, rate, burst), on=(redis.RedisError,))
    except (redis.RedisError, breaker.Open):
        return _local_bucket(name, rate, burst).take()


def _has_share(name: str) -> bool:
    """Whether a token that was taken from the shared bucket before is left, and takes it."""
    with _lock:
        left, until = _shares.pop(name, (0, 0.0))
        if not left or time.monotonic() > until:
            return False
        _keep(_shares, name, (left - 1, until))
        return True


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


def _take_shared(name: str, rate: float, burst: int) -> float:
    take = _client(settings.REDIS_URL).register_script(_TAKE)
    wanted = max(1, int(min(rate * _SHARE_S, burst)))
    granted, wait = take(keys=[f"smartmaint:limit:{name}"], args=[rate, burst, wanted])
    if int(granted) > 1:
        with _lock:
            _keep(_shares, name, (int(granted) - 1, time.monotonic() + _SHARE_LASTS_S))
    return float(wait)


def _local_bucket(name: str, rate: float, burst: int) -> TokenBucket:
    with _lock:
        bucket = _local.pop(name, None)
        if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
            bucket = TokenBucket(rate, burst)
        _keep(_local, name, bucket)
        return bucket


def _keep(memory: OrderedDict[str, T], name: str, value: T) -> None:
    """The newest of a bounded memory."""
    memory[name] = value
    if len(memory) > _MAX_REMEMBERED:
        memory.popitem(last=False)

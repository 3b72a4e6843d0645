"""Five times what can be taken, for a minute: who is refused, how long the others wait.

First one client after the other finds out what the shipped server takes with one worker. Then
many connections offer five times as many calls, each at its time whether the last was answered or
not. Every call is of readings of its own, so what was acknowledged can be counted in the table.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bench import web
from bench.report import Report
from bench.wire import Wire, request
from sensors.models import Reading, ScoringNote

READINGS = 6_000  # a call: so large that one client can offer five times as many as are taken
TIMES = 5  # what can be taken
SECONDS, FAST_SECONDS = 60, 5
CONNECTIONS = 64
_START = np.datetime64("2026-01-01T00:00", "s")
_STEP_US = 10**6 // READINGS
_ROWS = b"".join(f"@.{place * _STEP_US:06}Z,{place}\n".encode() for place in range(READINGS))


@dataclass
class Seen:
    """What the calls of a load were answered; seconds from when each was due."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    other: list[int] = field(default_factory=list)
    lost: int = 0


def run(report: Report, *, fast: bool) -> None:
    seconds = FAST_SECONDS if fast else SECONDS
    with web.serving() as server:
        key = web.key()
        _call_once(server, key)
        numbers = _numbers()
        can = _offered(server, key, numbers, rate=1e9, seconds=5, connections=4)
        capacity = len(can.accepted) / 5
        report.step(f"takes {capacity:.0f} calls/s of {READINGS:,} readings")
        before = server.resident_mib()
        seen = _offered(
            server, key, numbers, rate=TIMES * capacity, seconds=seconds, connections=CONNECTIONS
        )
        after = server.resident_mib()
    acknowledged = (1 + len(can.accepted) + len(seen.accepted)) * READINGS
    stored = Reading.objects.count()
    offered = len(seen.accepted) + len(seen.refused) + len(seen.other) + seen.lost
    report.facts["overload"] = {
        "seconds": seconds,
        "calls offered by those that can be taken": round(offered / seconds / capacity, 2),
        "accepted/s by capacity": round(len(seen.accepted) / seconds / capacity, 2),
        "refused": len(seen.refused),
        "refused without Retry-After": seen.without_retry_after,
        "answered otherwise": len(seen.other),
        "not answered": seen.lost,
        "accepted, p50 ms": round(1e3 * float(np.quantile(seen.accepted, 0.5))),
        "accepted, p99 ms": round(1e3 * float(np.quantile(seen.accepted, 0.99))),
        "web worker before and after, MiB": [round(before), round(after)],
        "acknowledged": acknowledged,
        "acknowledged minus stored": acknowledged - stored,
    }
    for name, figure in report.facts["overload"].items():
        report.step(f"overload: {name}: {figure}")
    ScoringNote.objects.all().delete()
    assert acknowledged <= stored
    assert not seen.without_retry_after


def _numbers() -> Iterator[int]:
    """One for each call, from 1, for several threads."""
    lock, last = threading.Lock(), 0
    while True:
        with lock:
            last += 1
        yield last


def _body(number: int) -> bytes:
    """Readings of a second that no other call has. Cheap: the client must be quicker
    than the server by far."""
    second = np.datetime_as_string(_START + number, unit="s")
    row = f"overload-{number % 20},{second}".encode()
    return b"sensor,time,value\n" + _ROWS.replace(b"@", row)


def _call_once(server: web.Web, key: str) -> None:
    with Wire(server.port) as wire:
        answer = wire.send(request("/api/v1/readings", _body(0), **web.headers(key, "text/csv")))
        assert answer.status == 200, answer


def _offered(
    server: web.Web,
    key: str,
    numbers: Iterator[int],
    *,
    rate: float,
    seconds: float,
    connections: int,
) -> Seen:
    """Calls at `rate` a second, shared by connections; one that is late makes its calls at once."""
    seen, lock = Seen(), threading.Lock()
    begun = time.perf_counter()
    headers = web.headers(key, "text/csv")

    def client(place: int) -> None:
        with Wire(server.port, timeout_s=30) as wire:
            turn = 0
            while True:
                due = begun + (turn * connections + place) / rate
                turn += 1
                now = time.perf_counter()
                if now - begun >= seconds:
                    return
                if due > now:
                    time.sleep(due - now)
                with lock:
                    number = next(numbers)
                ready = request("/api/v1/readings", _body(number), **headers)
                sent = time.perf_counter()
                try:
                    answer = wire.send(ready)
                except OSError:
                    with lock:
                        seen.lost += 1
                    continue
                took = time.perf_counter() - sent
                with lock:
                    _note(seen, answer.status, answer.header("Retry-After"), took)

    threads = [threading.Thread(target=client, args=(place,)) for place in range(connections)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return seen


def _note(seen: Seen, status: int, retry_after: str | None, took: float) -> None:
    if status == 200:
        seen.accepted.append(took)
    elif status in {429, 503}:
        seen.refused.append(took)
        seen.without_retry_after += retry_after is None
    else:
        seen.other.append(status)

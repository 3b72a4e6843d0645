"""Who is sent readings: the shipped endpoint by format, the naive way, and InfluxDB."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench import influx, web
from bench.readings import Feed, Sent
from bench.wire import Wire, request


@dataclass(frozen=True, slots=True)
class Contender:
    """Where a batch goes, how it becomes a request, and in which rounds it takes part."""

    name: str
    wire: Wire
    ready: Callable[[Sent], bytes]
    status: int = 200
    every: int = 1


def ours(wire: Wire, key: str) -> Iterator[Contender]:
    """The shipped endpoints; JSON first."""
    bodies: dict[str, tuple[str, Callable[[Sent], bytes]]] = {
        "JSON": ("application/json", Sent.as_json),
        "NDJSON": ("application/x-ndjson", Sent.as_ndjson),
        "CSV": ("text/csv", Sent.as_csv),
    }
    for name, (media_type, body) in bodies.items():
        headers = web.headers(key, media_type)

        def ready(
            sent: Sent,
            body: Callable[[Sent], bytes] = body,
            headers: dict[str, str] = headers,
        ) -> bytes:
            return request("/api/v1/readings", body(sent), **headers)

        yield Contender(name, wire, ready)

    def lines(sent: Sent) -> bytes:
        path = "/api/v2/write?precision=ms"
        return request(path, sent.as_lines(), Authorization=f"Token {key}")

    yield Contender("line protocol", wire, lines, status=204)


def naive(wire: Wire, key: str) -> Contender:
    def ready(sent: Sent) -> bytes:
        return request("/bench/naive", sent.as_json(), **web.headers(key, "application/json"))

    # It takes a second for a large batch.
    return Contender("naive DRF", wire, ready, every=4)


def influxdb(wire: Wire) -> Contender:
    def ready(sent: Sent) -> bytes:
        return request(influx.WRITE, sent.as_lines())

    return Contender("InfluxDB 1.x", wire, ready, status=204)


def introduce(wire: Wire, key: str, feed: Feed) -> None:
    """Let every sensor of the feed be discovered, so that nobody's rounds pay for it."""
    posted(next(ours(wire, key)), feed.take(len(feed.names)))


def posted(to: Contender, sent: Sent) -> float:
    """Seconds from the first byte sent to the last byte of the answer, which must be good."""
    ready = to.ready(sent)
    begun = time.perf_counter()
    answer = to.wire.send(ready)
    took = time.perf_counter() - begun
    assert answer.status == to.status, answer
    assert to.status == 204 or b'"accepted":%d,' % len(sent.names) in answer.body, answer
    return took

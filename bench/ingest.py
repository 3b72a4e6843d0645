"""Acquisition end to end over HTTP, beside COPY of the same rows, the naive way and InfluxDB.

One gunicorn worker, one client with one connection. Every contender sends rows of its own; right
after it the same rows go by COPY into an equal table, committed too, so that both tables grow alike
and what else the machine does meets both.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import psycopg

from bench import influx, limit, web
from bench.contenders import Contender, influxdb, introduce, naive, ours, posted
from bench.readings import Feed
from bench.report import Report
from bench.timing import Measured, seconds
from bench.wire import Wire, request
from sensors import store
from sensors.models import ScoringNote

# Readings a batch → rounds, and rounds with --fast.
LARGE = 10_000
ROUNDS = {LARGE: (20, 4), 100: (100, 20), 1: (300, 60)}
FLEETS = 5
EMPTY = "an empty view that knows who is calling"
Times = dict[str, list[tuple[float, float]]]


def run(report: Report, plain: psycopg.Connection, *, fast: bool) -> None:
    limit.make_table(plain)
    with ExitStack() as held:
        server = held.enter_context(web.serving())
        wire, key = held.enter_context(Wire(server.port)), web.key()
        contenders = [*ours(wire, key), naive(wire, key)]
        if influx.is_installed():
            port = held.enter_context(influx.serving())
            contenders.append(influxdb(held.enter_context(Wire(port))))
        feed = _feed(len(contenders), fast=fast)
        introduce(wire, key, feed)
        for n, rounds in ROUNDS.items():
            times = _take_turns(plain, contenders, feed, n, rounds[fast])
            _add(report, times, n)
        _sorted_first(report, plain, feed, ROUNDS[LARGE][fast])
        _single(report, wire, key, feed, ROUNDS[1][fast])
        report.facts["web worker, MiB"] = round(server.resident_mib())


def _feed(contenders: int, *, fast: bool) -> Feed:
    # One more for readings that come alone; two for COPY by itself.
    readings = sum(n * (rounds[fast] + 1) * (contenders + 3) for n, rounds in ROUNDS.items())
    return Feed(readings, fleets=FLEETS, until=np.datetime64("now", "m").astype("datetime64[us]"))


def _take_turns(
    plain: psycopg.Connection, contenders: Sequence[Contender], feed: Feed, n: int, rounds: int
) -> Times:
    """(seconds of the contender, seconds of COPY of its rows) a round; the first round warms up."""
    times: Times = defaultdict(list)
    gc.collect()
    for turn in range(rounds + 1):
        forget_notes()
        for one in contenders:
            if turn % one.every:
                continue
            sent = feed.take(n)
            ready = limit.packed(sent.columns)
            pair = posted(one, sent), seconds(lambda ready=ready: limit.copied(plain, ready))
            if turn:
                times[one.name].append(pair)
    return times


def _add(report: Report, times: Times, n: int) -> None:
    for name, pairs in times.items():
        own, copy = zip(*pairs, strict=True)
        report.add(Measured(f"{name}, batches of {n:,}", limit.COPY, n, own, copy))
    ours_s = np.median([own for own, _ in times["JSON"]])
    naive_s = np.median([own for own, _ in times["naive DRF"]])
    report.facts[f"JSON by naive DRF, batches of {n:,}"] = round(float(naive_s / ours_s), 1)


def _sorted_first(report: Report, plain: psycopg.Connection, feed: Feed, rounds: int) -> None:
    """What the order of the rows is worth to COPY itself."""
    pairs = []
    for _ in range(rounds + 1):
        columns, as_sent = feed.take(LARGE).columns, feed.take(LARGE).columns
        ordered = columns.take(store.one_of_each(columns))
        ready, other = limit.packed(ordered), limit.packed(as_sent)
        own_s = seconds(lambda ready=ready: limit.copied(plain, ready))
        pairs.append((own_s, seconds(lambda other=other: limit.copied(plain, other))))
    own, copy = zip(*pairs[1:], strict=True)
    name = f"COPY of rows sorted by the primary key, batches of {LARGE:,}"
    report.add(Measured(name, limit.COPY, LARGE, own, copy))


def _single(report: Report, wire: Wire, key: str, feed: Feed, rounds: int) -> None:
    """One reading against an empty view of the same server, in turns."""
    (endpoint, *_) = ours(wire, key)
    empty = request("/bench/empty", b"[]", **web.headers(key, "application/json"))
    pairs = [
        (posted(endpoint, feed.take(1)), seconds(lambda: wire.send(empty)))
        for _ in range(rounds + 1)
    ]
    own, nothing = zip(*pairs[1:], strict=True)
    report.add(Measured("JSON, a single reading", EMPTY, 1, own, nothing))


def forget_notes() -> None:
    """As detection would: what was noted is worked on and gone."""
    ScoringNote.objects.all().delete()

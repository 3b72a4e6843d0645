"""The acquisition agent in this process, from bytes to commit, and where its time goes."""

from __future__ import annotations

from typing import Any

import psycopg

from bench import limit
from bench.readings import UNTIL, Feed, Sent, site
from bench.report import Report
from bench.timing import Stopwatch, measure
from sensors import acquisition, directory, formats, offers, store
from sensors.models import Site
from sensors.series import to_datetime

NOW = to_datetime(UNTIL)
LARGE = 10_000
# Readings a batch → rounds, and rounds with --fast.
ROUNDS = {LARGE: (20, 4), 100: (100, 20), 1: (150, 30)}
WATCHED: dict[str, tuple[Any, str]] = {
    "parse": (formats, "from_json"),
    "look up": (directory, "look_up"),
    "judge": (offers, "_judge"),
    "sort and dedupe": (store, "one_of_each"),
    "store": (acquisition, "_store"),
    "sum up": (acquisition, "traces"),
    "wake-up": (acquisition, "_wake_up"),
}


def run(report: Report, plain: psycopg.Connection, *, fast: bool) -> None:
    limit.make_table(plain)
    rounds = {n: each[fast] for n, each in ROUNDS.items()}
    feed = Feed(
        sum(n * (count + 1) for n, count in rounds.items()) + LARGE * (2 * rounds[LARGE] + 1)
    )
    for n in ROUNDS:
        name = f"agent, batches of {n:,}"
        _compare(report, plain, name, [feed.take(n) for _ in range(rounds[n] + 1)])
    full = [feed.take(LARGE) for _ in range(rounds[LARGE] + 1)]
    _compare(report, plain, f"agent, batches of {LARGE:,}, every field", full, every_field=True)
    _where_the_time_goes(report, [feed.take(LARGE) for _ in range(rounds[LARGE])])


def _compare(
    report: Report,
    plain: psycopg.Connection,
    name: str,
    sent: list[Sent],
    *,
    every_field: bool = False,
) -> None:
    """Each batch once through the agent, and once as ready bytes straight into the equal table."""
    place, n = site(), len(sent[0].columns)
    bodies = iter([one.as_json(every_field=every_field) for one in sent])
    ready = iter([limit.packed(one.columns) for one in sent])
    report.add(
        measure(
            name,
            lambda: ingested(next(bodies), place, n),
            lambda: limit.copied(plain, next(ready)),
            against=limit.COPY,
            readings=n,
            rounds=len(sent) - 1,
        )
    )


def ingested(body: bytes, place: Site, n: int) -> None:
    receipt = acquisition.ingest(formats.from_json(body), site=place, source="bench", now=NOW)
    assert receipt.accepted == n, receipt


def _where_the_time_goes(report: Report, sent: list[Sent]) -> None:
    place, watch = site(), Stopwatch()
    with watch.watching(WATCHED):
        for body in [one.as_json() for one in sent]:
            with watch.on("transaction and the rest"):
                ingested(body, place, LARGE)
    report.add_parts(f"agent, batches of {LARGE:,}", watch.shares())

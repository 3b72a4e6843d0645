"""What a large table costs: the rate of batches, and the memory of the web process.

The table is filled by COPY to one size after the other, with a month of minutes of many sensors;
at each size new batches go in over HTTP, in turns with COPY of the same rows into a table that is
never filled. Then millions of readings go in one after the other, and the process is weighed.
"""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import psycopg

from bench import limit, web
from bench.contenders import Contender, introduce, ours, posted
from bench.ingest import forget_notes
from bench.readings import Feed
from bench.report import Report
from bench.timing import Measured, seconds
from bench.wire import Wire
from sensors import store

MILLION = 1_000_000
SIZES, FAST_SIZES = (1, 10, 50), (1, 2)  # millions of rows
BATCH = 10_000
ROUNDS, FAST_ROUNDS = 30, 6
POSTED, FAST_POSTED = 10, 1  # millions of readings that the process is weighed over
FILLERS = 5_000  # sensors whose history fills the table
_FIRST_FILLER = 1_000_000  # no sensor of the bench has such a number


def run(report: Report, plain: psycopg.Connection, *, fast: bool) -> None:
    sizes, rounds = (FAST_SIZES, FAST_ROUNDS) if fast else (SIZES, ROUNDS)
    millions = FAST_POSTED if fast else POSTED
    limit.make_table(plain)
    needed = len(sizes) * (rounds + 1) * BATCH + millions * MILLION + BATCH
    feed = Feed(needed, fleets=5, until=np.datetime64("now", "m").astype("datetime64[us]"))
    with web.serving() as server, Wire(server.port) as wire:
        to = next(ours(wire, web.key()))
        introduce(wire, web.key(), feed)
        at, rates = 0, []
        for size in sizes:
            fill(plain, at, size)
            wire.close()  # it takes longer than the server keeps a connection
            at = size
            report.step(f"{size} million rows are there")
            line = _at_size(plain, to, feed, size, rounds)
            report.add(line)
            rates.append(line)
        # Of the limit's rate in the same minute: the machine is not the same all the time.
        report.facts[f"rate at {sizes[-1]} M rows by that at {sizes[0]} M, against COPY"] = round(
            rates[-1].ratio / rates[0].ratio, 3
        )
        report.facts[f"rate at {sizes[-1]} M rows by that at {sizes[0]} M"] = round(
            rates[0].own_s / rates[-1].own_s, 3
        )
        weights = list(_weighed(server, to, feed, millions))
    report.facts["web worker by millions of readings, MiB"] = [round(w) for w in weights]
    _plot(sizes, rates, weights)


def fill(plain: psycopg.Connection, begin: int, end: int) -> None:
    """History of the months before the feed, a million rows a COPY, as it would have come."""
    per_sensor = MILLION // FILLERS
    ids = np.repeat(np.arange(_FIRST_FILLER, _FIRST_FILLER + FILLERS), per_sensor)
    rng = np.random.default_rng(begin)
    for million in range(begin, end):
        start = np.datetime64("2026-01-01T00:00", "us") + np.timedelta64(million * per_sensor, "m")
        minutes = start + np.arange(per_sensor) * np.timedelta64(60, "s")
        columns = store.Columns(
            ids,
            np.tile(minutes, FILLERS),
            rng.normal(size=MILLION),
            np.ones(MILLION),
            np.zeros(MILLION, np.int16),
        )
        limit.copied(plain, limit.packed(columns), "sensors_reading")
    plain.execute("ANALYZE sensors_reading")


def _at_size(
    plain: psycopg.Connection, to: Contender, feed: Feed, size: int, rounds: int
) -> Measured:
    pairs = []
    for _ in range(rounds + 1):
        forget_notes()
        sent = feed.take(BATCH)
        ready = limit.packed(sent.columns)
        pairs.append((posted(to, sent), seconds(lambda ready=ready: limit.copied(plain, ready))))
    own, copy = zip(*pairs[1:], strict=True)
    return Measured(f"{to.name}, table of {size} M rows", limit.COPY, BATCH, own, copy)


def _weighed(server: web.Web, to: Contender, feed: Feed, millions: int) -> Iterator[float]:
    """MiB of the web process before and after each million of readings."""
    yield server.resident_mib()
    for _ in range(millions):
        for _ in range(MILLION // BATCH):
            posted(to, feed.take(BATCH))
        forget_notes()
        yield server.resident_mib()


def _plot(sizes: tuple[int, ...], rates: list[Measured], weights: list[float]) -> None:
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, times in (("over HTTP", "own_s"), ("COPY alone", "limit_s")):
        rate = [line.readings / getattr(line, times) / 1e3 for line in rates]
        left.plot(sizes, rate, marker="o", label=name)
    left.set(xlabel="rows in the table, millions", ylabel="thousand readings/s")
    left.set(xticks=sizes, ylim=(0, None))
    left.legend()
    right.plot(range(len(weights)), weights, marker="o")
    right.set(xlabel="readings taken, millions", ylabel="web process, MiB")
    right.set(ylim=(0, 1.2 * max(weights)))
    figure.savefig(web.place() / "growth.png", dpi=120)
    plt.close(figure)

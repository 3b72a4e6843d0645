"""The acquisition agent from bytes to commit, against PostgreSQL's own COPY of the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg

from bench.chunk_interval import DTYPE, HEADER, TRAILER
from bench.readings import UNTIL, Feed, Sent, site
from bench.report import Report
from bench.timing import Stopwatch, measure
from sensors import acquisition, directory, formats, profiles, store
from sensors.models import Site
from sensors.series import to_datetime

NOW = to_datetime(UNTIL)
LARGE = 10_000
# Readings a batch → rounds, and rounds with --fast.
ROUNDS = {LARGE: (20, 4), 100: (100, 20), 1: (150, 30)}
LIMIT = "binary COPY and commit of the same rows into an equal table"
WATCHED: dict[str, tuple[Any, str]] = {
    "parse": (formats, "from_json"),
    "look up": (directory, "look_up"),
    "judge": (acquisition, "_judge"),
    "sort and dedupe": (store, "insert"),
    "copy": (store, "_copy"),
    "sort for the profiles": (profiles, "by_sensor"),
    "profiles": (profiles, "merge"),
    "notes": (acquisition, "_remember"),
    "wake-up": (acquisition, "_wake_up"),
}
EQUAL_TABLE = """
DROP TABLE IF EXISTS bench_reading;
CREATE TABLE bench_reading (LIKE sensors_reading INCLUDING ALL);
"""
EQUAL_HYPERTABLE = """
SELECT create_hypertable('bench_reading', by_range('time', INTERVAL '7 days'),
    create_default_indexes => false)
"""


def run(report: Report, plain: psycopg.Connection, *, fast: bool) -> None:
    plain.execute(EQUAL_TABLE)
    if store.is_hypertable():
        plain.execute(EQUAL_HYPERTABLE)
    rounds = {n: each[fast] for n, each in ROUNDS.items()}
    feed = Feed(
        sum(n * (count + 1) for n, count in rounds.items()) + LARGE * (2 * rounds[LARGE] + 1)
    )
    for n in ROUNDS:
        name = f"ingest, batches of {n:,}"
        _compare(report, plain, name, [feed.take(n) for _ in range(rounds[n] + 1)])
    full = [feed.take(LARGE, every_field=True) for _ in range(rounds[LARGE] + 1)]
    _compare(report, plain, f"ingest, batches of {LARGE:,}, every field", full)
    _where_the_time_goes(report, [feed.take(LARGE) for _ in range(rounds[LARGE])])
    plain.execute("DROP TABLE bench_reading")


def _compare(report: Report, plain: psycopg.Connection, name: str, sent: list[Sent]) -> None:
    """Each batch once through the agent, and once as ready bytes straight into the equal table."""
    place, n = site(), len(sent[0].columns)
    bodies = iter([one.body for one in sent])
    ready = iter([packed(one.columns) for one in sent])
    report.add(
        measure(
            name,
            lambda: ingested(next(bodies), place, n),
            lambda: copied(plain, next(ready)),
            against=LIMIT,
            readings=n,
            rounds=len(sent) - 1,
        )
    )


def ingested(body: bytes, place: Site, n: int) -> None:
    receipt = acquisition.ingest(formats.from_json(body), site=place, source="bench", now=NOW)
    assert receipt.accepted == n, receipt


def copied(plain: psycopg.Connection, ready: bytes) -> None:
    columns = "sensor_id, time, value, quality, flags"
    statement = f"COPY bench_reading ({columns}) FROM STDIN (FORMAT BINARY)"
    with plain.cursor() as cursor, cursor.copy(statement) as copy:  # autocommit
        copy.write(ready)


def packed(columns: store.Columns) -> bytes:
    """The rows as COPY reads them, sorted by the primary key, which is the quickest order."""
    ordered = columns.take(np.lexsort((columns.times, columns.sensor_ids)))
    rows = np.zeros(len(ordered), DTYPE)
    rows["fields"], rows["a"], rows["b"], rows["c"], rows["d"], rows["e"] = 5, 8, 8, 8, 4, 2
    rows["sensor"], rows["value"] = ordered.sensor_ids, ordered.values
    rows["time"] = (ordered.times - np.datetime64("2000-01-01", "us")).astype(np.int64)
    rows["quality"] = ordered.quality
    return HEADER + rows.tobytes() + TRAILER


def _where_the_time_goes(report: Report, sent: list[Sent]) -> None:
    place, watch = site(), Stopwatch()
    with watch.watching(WATCHED):
        for one in sent:
            with watch.on("transaction and the rest"):
                ingested(one.body, place, LARGE)
    report.add_parts(f"ingest, batches of {LARGE:,}", watch.shares())

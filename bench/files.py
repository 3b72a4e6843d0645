"""Files by the command `ingest`, beside COPY of the same rows in the same batches.

What the command runs, in this process: each file is read and committed batch by batch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet
from django.utils import timezone

from bench import limit
from bench.readings import Feed, Sent, site
from bench.report import Report
from bench.timing import measure
from sensors.acquisition import ingest
from sensors.files.ingestion import ingest_file
from sensors.files.layout import Layout
from sensors.files.sources import Source
from sensors.formats import from_json

BATCH, BATCHES, FLEETS = 10_000, 5, 5
# Files of each format, and with --fast.
ROUNDS = (8, 2)


def run(report: Report, plain: psycopg.Connection, *, fast: bool) -> None:
    limit.make_table(plain)
    rounds, rows = ROUNDS[fast], BATCH * BATCHES
    feed = Feed(rows * (rounds + 1) * len(_WRITERS) + len(_WRITERS) * FLEETS * 20, fleets=FLEETS)
    known = from_json(feed.take(len(feed.names)).as_json())
    ingest(known, site=site(), source="bench", now=timezone.now())
    with tempfile.TemporaryDirectory() as made:
        for kind in _WRITERS:
            sent = [feed.take(rows) for _ in range(rounds + 1)]
            _compare(report, plain, kind, sent, Path(made))


def _compare(
    report: Report, plain: psycopg.Connection, kind: str, sent: list[Sent], place: Path
) -> None:
    """Each file once by the command's function, and once as ready bytes into the equal table."""
    files = iter([_written(one, kind, place / f"{i}.{kind}") for i, one in enumerate(sent)])
    ready = iter([[limit.packed(batch) for batch in one.batches(BATCH)] for one in sent])

    def copied() -> None:
        for batch in next(ready):
            limit.copied(plain, batch)

    report.add(
        measure(
            f"file of {kind}, batches of {BATCH:,}",
            lambda: _ingested(next(files)),
            copied,
            against=limit.COPY,
            readings=BATCH * BATCHES,
            rounds=len(sent) - 1,
        )
    )


def _ingested(source: Source) -> None:
    place = site()
    record = ingest_file(source, Layout(), site=place, clock=timezone.now, batch_rows=BATCH)
    assert record.accepted == BATCH * BATCHES, record.accepted


def _written(sent: Sent, kind: str, path: Path) -> Source:
    _WRITERS[kind](sent, path)
    return Source(path, kind)


def _as_parquet(sent: Sent, path: Path) -> None:
    times = pa.array(sent.columns.times, pa.timestamp("us", "UTC"))
    columns = {"sensor": sent.names, "time": times, "value": sent.columns.values}
    pa.parquet.write_table(pa.table(columns), path)


_WRITERS: dict[str, Callable[[Sent, Path], object]] = {
    "parquet": _as_parquet,
    "csv": lambda sent, path: path.write_bytes(sent.as_csv()),
    "ndjson": lambda sent, path: path.write_bytes(sent.as_ndjson()),
}

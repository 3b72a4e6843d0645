"""What this process has taken in and refused, for /metrics. Labels have few values each."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from sensors.rows import Rejection

READINGS = Counter(
    "smartmaint_readings",
    "Readings by what became of them, counted after the commit.",
    ["outcome"],
)
STRING_FIELDS = Counter(
    "smartmaint_line_string_fields",
    "String fields of line protocol, which are no readings and were left out.",
)
REJECTED = Counter(
    "smartmaint_rejected_rows",
    "Rows that were not accepted, by why; counted after the commit.",
    ["category", "code"],
)
CONFLICTS = Counter(
    "smartmaint_reading_conflicts",
    "Second values for a (sensor, time), by what became of them; counted after the commit.",
    ["resolution"],
)
BATCH = Histogram(
    "smartmaint_batch_readings",
    "Rows a batch.",
    buckets=(1, 10, 100, 1_000, 5_000, 10_000, 50_000),
)
BYTES = Counter("smartmaint_ingest_bytes", "Bytes of bodies with readings, as they were sent.")
SECONDS = Histogram(
    "smartmaint_ingest_seconds",
    "Time to answer a call with readings that was let in, by the answer's status.",
    ["status"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REFUSALS = Counter(
    "smartmaint_refusals",
    "Calls with readings that were answered 429 or 503, by why: throttled is the key's rate, busy "
    "too many at once, unavailable a store that is away.",
    ["reason"],
)
IN_FLIGHT = Gauge(
    "smartmaint_ingest_in_flight",
    "Calls with readings that are worked on now.",
    multiprocess_mode="livesum",
)


def count_batch(*, accepted: int, duplicates: int, refused: Sequence[Rejection]) -> None:
    READINGS.labels("accepted").inc(accepted)
    READINGS.labels("duplicate").inc(duplicates)
    READINGS.labels("quarantined").inc(len(refused))
    BATCH.observe(accepted + duplicates + len(refused))
    for (category, code), rows in Count((one.category, one.code) for one in refused).items():
        REJECTED.labels(category, code).inc(rows)

"""Durable notes of what stored readings leave to be done: scoring and rolling up."""

from __future__ import annotations

import numpy as np

from sensors import minutes, statements
from sensors.models import ScoringNote
from sensors.statements import Array
from sensors.store import Columns

# One statement's last parts, after "WITH": each round trip counts for small batches.
WRITE = """
scoring AS (
    INSERT INTO sensors_scoringnote (sensor_id, since, until, reason, held, created_at)
    SELECT *, %s::text, false, now()
    FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
)
INSERT INTO sensors_rollupnote (sensor_id, since, until)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
"""


def params(readings: Columns) -> tuple[object, ...]:
    """What WRITE asks for. readings: at least one, sorted by (sensor, time)."""
    ids, times = readings.sensor_ids, readings.times
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    ends = np.r_[starts[1:], len(ids)] - 1
    first, last = minutes.runs(ids, times)
    return (
        ScoringNote.Reason.INGEST.value,
        Array("int8", ids[starts]),
        statements.times(times[starts]),
        statements.times(times[ends]),
        Array("int8", ids[first]),
        statements.times(times[first]),
        statements.times(times[last]),
    )


def write(readings: Columns) -> None:
    """Note these readings, which are stored already. Needs a transaction."""
    statements.run(f"WITH {WRITE}", params(readings))

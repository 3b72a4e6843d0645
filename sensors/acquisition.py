"""The data acquisition agent: judges the readings of a batch and stores them, all in one commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

import numpy as np
from django.db import transaction

from sensors import directory, minutes, profiles, quality, rejections, statements, store
from sensors.counters import count_readings
from sensors.directory import Directory
from sensors.formats import Batch, BoolArray
from sensors.models import IngestKey, ScoringNote, Site
from sensors.rows import Rejection
from sensors.series import to_datetime64
from sensors.signals import readings_ingested

MAX_AHEAD = timedelta(minutes=10)
BACKFILL_AGE = timedelta(days=1)

# One statement for both kinds of note: a round trip less for each batch.
_NOTE = """
WITH scoring AS (
    INSERT INTO sensors_scoringnote (sensor_id, since, until, reason, held, created_at)
    SELECT *, %s::text, false, now()
    FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
)
INSERT INTO sensors_rollupnote (sensor_id, since, until)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one row of the document was not accepted."""

    index: int
    category: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch. Every row is in exactly one of the three numbers."""

    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    errors: tuple[Problem, ...] = ()

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(
            self.accepted + other.accepted,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
            self.errors + other.errors,
        )

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "errors": [asdict(error) for error in self.errors]}


class Promise(Protocol):
    """Something to write in the transaction that stores the readings."""

    def keep(self, answer: dict[str, Any]) -> None: ...


def ingest(
    batch: Batch,
    *,
    site: Site,
    source: str,
    now: datetime,
    key: IngestKey | None = None,
    backfill: bool | BoolArray = False,
    keep_rejected: bool = True,
    promise: Promise | None = None,
) -> Receipt:
    """Judge and store a batch. What it returns is committed, or the caller's transaction's.

    backfill: the age of no row counts against it (rows older than a day are exempt anyway); or
        for each reading of the batch, shape (n,).
    keep_rejected: False when the rejected rows are in quarantine already.
    promise: what to write down in the same transaction, such as the answer for the ledger.
    Raises breaker.Open, OperationalError or InterfaceError when the store is away; then nothing
    was written.
    """

    def work(*, expect_new: bool) -> Receipt:
        receipt, refused = _ingest(batch, site, key, now, backfill, expect_new)
        if keep_rejected:
            rejections.hold(refused, site=site, key=key, source=source, now=now)
        if promise is not None:
            promise.keep(receipt.as_json())
        return receipt

    def committed() -> Receipt:
        try:
            return store.in_transaction(partial(work, expect_new=True))
        except store.Duplicates:
            return store.in_transaction(partial(work, expect_new=False))

    receipt = store.breaker.call(committed, on=store.AWAY)
    count_readings(
        accepted=receipt.accepted, duplicates=receipt.duplicates, quarantined=receipt.quarantined
    )
    return receipt


def _ingest(
    batch: Batch,
    site: Site,
    key: IngestKey | None,
    now: datetime,
    backfill: bool | BoolArray,
    expect_new: bool,
) -> tuple[Receipt, list[Rejection]]:
    known = directory.look_up(batch, site=site, key=key, now=now)
    judged = _judge(batch, known, now, backfill)
    refused = [*batch.rejected, *_refusals(batch, known, judged, now)]
    is_good = ~np.isin(batch.index, [rejection.index for rejection in refused])
    offered = _columns(batch, known, judged).take(is_good)
    accepted = _store(offered, now, expect_new=expect_new)
    receipt = Receipt(
        accepted, len(offered) - accepted, len(refused), tuple(map(_problem, refused))
    )
    return receipt, refused


def _judge(
    batch: Batch, known: Directory, now: datetime, backfill: bool | BoolArray
) -> quality.Quality:
    sensor = batch.sensor.codes
    age_s = (to_datetime64(now) - batch.times) / np.timedelta64(1, "s")
    return quality.judge(
        quality.Evidence(
            values=batch.values,
            has_wrong_unit=_has_wrong_unit(batch, known),
            physical_min=known.physical_min[sensor],
            physical_max=known.physical_max[sensor],
            shown_min=known.shown_min[sensor],
            shown_max=known.shown_max[sensor],
            age_s=age_s,
            interval_s=known.interval_s[sensor],
            reported=batch.quality,
            is_backfill=(age_s > BACKFILL_AGE.total_seconds()) | backfill,
        )
    )


def _has_wrong_unit(batch: Batch, known: Directory) -> BoolArray:
    """Where a reading states another unit than its sensor has; either may be without one."""
    if not batch.unit.names:
        return np.zeros(len(batch.times), dtype=bool)
    places = {name: place for place, name in enumerate(batch.unit.names)}
    expected = np.array([places.get(unit, -2 if unit else -1) for unit in known.units])
    expected = expected[batch.sensor.codes]
    both_state_one = (batch.unit.codes >= 0) & (expected != -1)
    differ: BoolArray = both_state_one & (batch.unit.codes != expected)
    return differ


def _refusals(
    batch: Batch, known: Directory, judged: quality.Quality, now: datetime
) -> Iterator[Rejection]:
    """Well-formed rows that are not accepted, each for the first reason that applies."""
    sensor = batch.sensor.codes
    is_refused = np.isin(sensor, list(known.refusals))
    for row in np.flatnonzero(is_refused).tolist():
        refusal = known.refusals[int(sensor[row])]
        yield _rejection(batch, row, "enrichment", refusal.code, refusal.detail)
    is_ahead = ~is_refused & (batch.times > to_datetime64(now + MAX_AHEAD))
    for row in np.flatnonzero(is_ahead).tolist():
        yield _rejection(
            batch, row, "validation", "time_in_future", f"more than {MAX_AHEAD} ahead of the server"
        )
    is_poor = ~is_refused & ~is_ahead & (judged.intrinsic < known.threshold[sensor])
    for row in np.flatnonzero(is_poor).tolist():
        why = ", ".join(quality.reasons(int(judged.flags[row])))
        detail = (
            f"quality {judged.intrinsic[row]:.2f}, {known.threshold[sensor[row]]:.2f} is needed"
        )
        yield _rejection(batch, row, "quality", "quality_too_low", f"{detail}: {why}")


def _rejection(batch: Batch, row: int, category: str, code: str, detail: str) -> Rejection:
    sensor = batch.sensor.of_row(row) or ""
    return Rejection(int(batch.index[row]), category, code, detail, sensor, batch.payload(row))


def _columns(batch: Batch, known: Directory, judged: quality.Quality) -> store.Columns:
    return store.Columns(
        sensor_ids=known.ids[batch.sensor.codes],
        times=batch.times,
        values=batch.values,
        quality=judged.score,
        flags=judged.flags,
    )


@dataclass(frozen=True, slots=True)
class _Traces:
    """What readings leave behind besides themselves: in the profiles, and in the notes of what
    needs scoring and rolling up."""

    profiles: profiles.Summary
    notes: tuple[statements.Array, ...]

    @classmethod
    def of(cls, readings: store.Columns) -> _Traces:
        """readings: at least one, sorted by (sensor, time)."""
        summary = profiles.summarise(readings)
        first, last = minutes.runs(readings.sensor_ids, readings.times)
        return cls(
            summary,
            (
                statements.Array("int8", summary.sensor_ids),
                statements.times(summary.first_times),
                statements.times(summary.last_times),
                statements.Array("int8", readings.sensor_ids[first]),
                statements.times(readings.times[first]),
                statements.times(readings.times[last]),
            ),
        )


def _store(offered: store.Columns, now: datetime, *, expect_new: bool) -> int:
    """Store and remember what is new; how many readings that is."""
    first = offered.take(store.first_of_each(offered))
    if not len(first):
        return 0
    with store.inserting(first, expect_new=expect_new) as insertion:
        traces = _Traces.of(first)  # while the server is at work; mostly all are new
    if not insertion.is_new.all():
        first = first.take(insertion.is_new)
        if not len(first):
            return 0
        traces = _Traces.of(first)
    _remember(traces, now)
    return len(first)


def _remember(traces: _Traces, now: datetime) -> None:
    """Traces into the transaction, and the wake-up call after its commit."""
    profiles.merge(traces.profiles, now=now)
    statements.run(_NOTE, (ScoringNote.Reason.INGEST.value, *traces.notes))
    # Robust: the readings are stored, so a queue that cannot be reached is no error of this call.
    transaction.on_commit(_wake_up, robust=True)


def _wake_up() -> None:
    readings_ingested.send(sender=None)


def _problem(rejection: Rejection) -> Problem:
    return Problem(rejection.index, rejection.category, rejection.code, rejection.detail)

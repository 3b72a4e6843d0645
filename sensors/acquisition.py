"""The data acquisition agent: judges the readings of a batch and stores them, all in one commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import numpy as np
from django.db import transaction

from sensors import directory, minutes, profiles, quality, rejections, statements, store
from sensors.counters import count_batch
from sensors.directory import Directory
from sensors.formats import Batch, BoolArray
from sensors.models import IngestKey, ScoringNote, Site
from sensors.rows import Rejection
from sensors.series import to_datetime64
from sensors.signals import readings_ingested

MAX_AHEAD = timedelta(minutes=10)
BACKFILL_AGE = timedelta(days=1)

# One statement for all that readings leave behind: each round trip counts for small batches.
_REMEMBER = f"""
merged AS ({profiles.MERGE}),
scoring AS (
    INSERT INTO sensors_scoringnote (sensor_id, since, until, reason, held, created_at)
    SELECT *, %s::text, false, now()
    FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
)
INSERT INTO sensors_rollupnote (sensor_id, since, until)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
"""  # noqa: S608  constants of this package only
_STORE_AND_REMEMBER = f"WITH stored AS ({store.INSERT}), {_REMEMBER}"


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

    def work() -> tuple[Receipt, list[Rejection]]:
        offer = _offer(batch, site, key, now, backfill)
        beside = _Beside(offer.refused if keep_rejected else [], site, key, source, now, promise)
        try:
            return _write(offer, beside, expect_new=True), offer.refused
        except store.Duplicates:
            return _write(offer, beside, expect_new=False), offer.refused

    receipt, refused = store.breaker.call(work, on=store.AWAY)
    count_batch(accepted=receipt.accepted, duplicates=receipt.duplicates, refused=refused)
    return receipt


@dataclass(frozen=True, slots=True)
class _Offer:
    """A batch that was judged. first: what is to be stored, sorted and each reading once."""

    first: store.Columns
    good: int
    refused: list[Rejection]

    def receipt(self, accepted: int) -> Receipt:
        problems = tuple(map(_problem, self.refused))
        return Receipt(accepted, self.good - accepted, len(self.refused), problems)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What is written in the readings' transaction besides them and what they leave behind."""

    refused: list[Rejection]
    site: Site
    key: IngestKey | None
    source: str
    now: datetime
    promise: Promise | None

    def __bool__(self) -> bool:
        return bool(self.refused) or self.promise is not None

    def write(self, receipt: Receipt) -> None:
        rejections.hold(
            self.refused, site=self.site, key=self.key, source=self.source, now=self.now
        )
        if self.promise is not None:
            self.promise.keep(receipt.as_json())


def _offer(
    batch: Batch, site: Site, key: IngestKey | None, now: datetime, backfill: bool | BoolArray
) -> _Offer:
    known = directory.look_up(batch, site=site, key=key, now=now)
    judged = _judge(batch, known, now, backfill)
    refused = [*batch.rejected, *_refusals(batch, known, judged, now)]
    is_good = ~np.isin(batch.index, [rejection.index for rejection in refused])
    good = _columns(batch, known, judged).take(is_good)
    return _Offer(good.take(store.first_of_each(good)), len(good), refused)


def _write(offer: _Offer, beside: _Beside, *, expect_new: bool) -> Receipt:
    """All in one commit. Raises store.Duplicates, only if expect_new, and has done nothing."""

    def work() -> Receipt:
        receipt = offer.receipt(_store(offer.first, beside.now, expect_new=expect_new))
        beside.write(receipt)
        return receipt

    # A single statement is a transaction by itself, and needs no other round trips.
    is_one_statement = expect_new and len(offer.first) <= store.FEW and not beside
    return store.again(work) if is_one_statement else store.in_transaction(work)


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
    kept_from = known.kept_from[sensor]
    is_old = ~is_refused & (batch.times < kept_from)
    for row in np.flatnonzero(is_old).tolist():
        since = kept_from[row].astype("datetime64[s]")
        detail = f"readings of this sensor are kept from {since}Z on; this one is older"
        yield _rejection(batch, row, "quality", "older_than_retention", detail)
    is_poor = ~is_refused & ~is_ahead & ~is_old & (judged.intrinsic < known.threshold[sensor])
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


def _store(readings: store.Columns, now: datetime, *, expect_new: bool) -> int:
    """Store the readings and remember those that are new; how many that is."""
    if not len(readings):
        return 0
    if expect_new and len(readings) <= store.FEW:
        store.run_unless_there(_STORE_AND_REMEMBER, (*readings.params(), *_traces(readings, now)))
    else:
        with store.inserting(readings, expect_new=expect_new) as insertion:
            traces = _traces(readings, now)  # while the server is at work; mostly all are new
        if not insertion.is_new.all():
            readings = readings.take(insertion.is_new)
            if not len(readings):
                return 0
            traces = _traces(readings, now)
        statements.run(f"WITH {_REMEMBER}", traces)
    _wake_up_after_commit()
    return len(readings)


def _traces(readings: store.Columns, now: datetime) -> tuple[object, ...]:
    """What _REMEMBER asks for: profiles, and notes of what needs scoring and rolling up.

    readings: at least one, sorted by (sensor, time).
    """
    summary = profiles.summarise(readings)
    first, last = minutes.runs(readings.sensor_ids, readings.times)
    return (
        *summary.params(now),
        ScoringNote.Reason.INGEST.value,
        statements.Array("int8", summary.sensor_ids),
        statements.times(summary.first_times),
        statements.times(summary.last_times),
        statements.Array("int8", readings.sensor_ids[first]),
        statements.times(readings.times[first]),
        statements.times(readings.times[last]),
    )


def _wake_up_after_commit() -> None:
    # Robust: the readings are stored, so a queue that cannot be reached is no error of this call.
    transaction.on_commit(_wake_up, robust=True)


def _wake_up() -> None:
    readings_ingested.send(sender=None)


def _problem(rejection: Rejection) -> Problem:
    return Problem(rejection.index, rejection.category, rejection.code, rejection.detail)

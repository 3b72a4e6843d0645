"""A batch, judged: which readings are offered to the store, which rows are refused and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from sensors import conflicts, directory, quality, store
from sensors.conflicts import Clashes
from sensors.directory import Directory
from sensors.formats import Batch, BoolArray, IntArray
from sensors.models import IngestKey, Site
from sensors.presentation import number
from sensors.rows import Rejection
from sensors.series import to_datetime64

MAX_AHEAD = timedelta(minutes=10)
BACKFILL_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a batch has to offer.

    good: the readings that may be stored, in the order they came, and rows their places in the
    batch. chosen: places in good of one of each (sensor, time), sorted by it. within: readings that
    a chosen one contradicts. refused: rows that are not accepted whatever is stored.
    """

    batch: Batch
    good: store.Columns
    rows: IntArray
    chosen: IntArray
    within: Clashes
    how: conflicts.Resolution
    refused: list[Rejection]

    @property
    def readings(self) -> store.Columns:
        """What is to be stored: each (sensor, time) once, sorted by it."""
        return self.good.take(self.chosen)

    def contradicting(self, clashes: Clashes) -> list[Rejection]:
        """Rows that go to quarantine because their time has another value."""
        return [
            _rejection(
                self.batch, row, "quality", "conflicting_value",
                f"for this time {number(kept, 9)} is stored; this is {number(other, 9)}",
            )
            for row, kept, other in zip(
                self.rows[clashes.rows].tolist(),
                clashes.kept.tolist(),
                clashes.other.tolist(),
                strict=True,
            )
        ]  # fmt: skip


def judged(
    batch: Batch, site: Site, key: IngestKey | None, now: datetime, backfill: bool | BoolArray
) -> Offer:
    """backfill: as `acquisition.ingest` takes it."""
    known = directory.look_up(batch, site=site, key=key, now=now)
    qualities = _judge(batch, known, now, backfill)
    refused = [*batch.rejected, *_refusals(batch, known, qualities, now)]
    good, rows = _columns(batch, known, qualities), np.arange(len(batch.times))
    if refused:
        rows = np.flatnonzero(~np.isin(batch.index, [rejection.index for rejection in refused]))
        good = good.take(rows)
    how = conflicts.resolution()
    chosen = store.one_of_each(good, last=how is conflicts.Resolution.KEEP_LAST)
    return Offer(batch, good, rows, chosen, conflicts.within(good, chosen), how, refused)


def _judge(
    batch: Batch, known: Directory, now: datetime, backfill: bool | BoolArray
) -> quality.Quality:
    age_s = (to_datetime64(now) - batch.times).astype(np.int64) / 1e6
    return quality.judge(
        quality.Evidence(
            values=batch.values,
            sensor=batch.sensor.codes,
            has_wrong_unit=_has_wrong_unit(batch, known),
            age_s=age_s,
            reported=batch.quality,
            is_backfill=(age_s > BACKFILL_AGE.total_seconds()) | backfill,
            physical_min=known.physical_min,
            physical_max=known.physical_max,
            shown_min=known.shown_min,
            shown_max=known.shown_max,
            interval_s=known.interval_s,
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
    is_refused = np.zeros(len(sensor), dtype=bool)
    if known.refusals:
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

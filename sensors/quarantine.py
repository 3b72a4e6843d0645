"""What could not be accepted: tried again on request, not kept for ever."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db import transaction

from sensors import acquisition
from sensors.formats import Template, batch_of, parse_json, read_again
from sensors.models import QuarantinedReading

REPLAY_CHUNK = 5000


def replay(rows: Iterable[QuarantinedReading], *, now: datetime) -> acquisition.Receipt:
    """Try to accept quarantined rows again; those that pass are marked as replayed.

    Rows that still fail stay as they are. Rows that were replayed before are left alone.
    """
    waiting = sorted((row for row in rows if row.replayed_at is None), key=_origin)
    total = acquisition.Receipt()
    for _, group in groupby(waiting, key=_origin):
        same = list(group)
        for start in range(0, len(same), REPLAY_CHUNK):
            total += _replay_together(same[start : start + REPLAY_CHUNK], now)
    return total


def prune(*, now: datetime) -> int:
    """Remove rows past QUARANTINE_RETENTION_DAYS, replayed or not. Returns how many."""
    age = timedelta(days=settings.QUARANTINE_RETENTION_DAYS)
    removed: int = QuarantinedReading.objects.older_than(age, now=now).delete_in_pieces()
    return removed


def _origin(row: QuarantinedReading) -> tuple[int, int, str]:
    return row.site_id, row.key_id or 0, row.source


def _replay_together(rows: list[QuarantinedReading], now: datetime) -> acquisition.Receipt:
    readings, origins = _readings_of(rows)
    batch = batch_of(readings)
    with transaction.atomic():
        receipt = acquisition.ingest(
            batch,
            site=rows[0].site,
            key=rows[0].key,
            source=rows[0].source,
            now=now,
            backfill=True,
            keep_rejected=False,
        )
        failed = {origins[error.index] for error in receipt.errors}
        done = [row.pk for place, row in enumerate(rows) if place not in failed]
        QuarantinedReading.objects.filter(pk__in=done).update(replayed_at=now)
    return receipt


def _readings_of(rows: list[QuarantinedReading]) -> tuple[list[Any], list[int]]:
    """What to try again, and of each the place of its row: a line may be several readings."""
    key = rows[0].key
    readings: list[Any] = []
    origins: list[int] = []
    for place, kept in enumerate(parse_json(f"[{','.join(row.payload for row in rows)}]".encode())):
        found = [kept]
        if key and isinstance(kept, dict) and "line" in kept and "sensor" not in kept:
            found = read_again(kept, Template.parse(key.line_template)) or found
        readings += found
        origins += [place] * len(found)
    return readings, origins

"""Sensors' hours, exact at any moment: from the roll-ups, else from the readings.

What is asked for is read for all sensors at once, by a statement each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta

import numpy as np
from django.db.models import F, Sum

from sensors import buckets, rollups
from sensors.copying import as_times, copied
from sensors.models import RollupNote, SensorProfile
from sensors.series import to_datetime
from sensors.slices import Buckets, Level, Plan, Range, combined, outside

# So much that waits to be rolled up is rolled up at once instead of being read time and again.
MUCH = timedelta(hours=24)
_only_reads: ContextVar[bool] = ContextVar("_only_reads", default=False)

_ROLLED = """
SELECT asked.place, hour.time, hour.minimum, hour.maximum, hour.mean, hour.count
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
     AS asked (place, sensor_id, since, until)
JOIN sensors_hourrollup hour ON hour.sensor_id = asked.sensor_id
     AND hour.time >= asked.since AND hour.time < asked.until
"""
_READ = """
SELECT asked.place, found.* FROM
    unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
    AS asked (place, sensor_id, since, until),
LATERAL (
    SELECT date_bin('1 hour', time, 'epoch'::timestamptz), min(value), max(value), avg(value),
        count(*)
    FROM sensors_reading reading
    WHERE reading.sensor_id = asked.sensor_id AND time >= asked.since AND time < asked.until
    GROUP BY 1
) AS found
"""
_BUCKET = {
    "place": "bigint", "time": "timestamptz", "minimum": "float8", "maximum": "float8",
    "mean": "float8", "count": "bigint",
}  # fmt: skip

Asked = tuple[int, datetime, datetime]


@contextmanager
def only_read() -> Iterator[None]:
    """Within the block nothing is rolled up: where roll-ups are behind, readings are read."""
    token = _only_reads.set(True)
    try:
        yield
    finally:
        _only_reads.reset(token)


def hours_of(asked: Sequence[Asked]) -> list[Buckets]:
    """Of each (sensor, since, until), both whole hours, the hours in which it has readings with
    since <= time < until, oldest first."""
    if not asked:
        return []
    ids = [pk for pk, _, _ in asked]
    _catch_up(ids)
    # In this order: a pass that ends meanwhile moves what is noted into the roll-ups, so what is
    # read last would at worst be read from the readings although they have it by now.
    unknown = _unknown(asked)
    rolled = _in_places(_ROLLED, [(place, *one) for place, one in enumerate(asked)], len(asked))
    spans = [
        (place, ids[place], _time(begin), _time(end))
        for place, ranges in enumerate(unknown)
        for begin, end in ranges
    ]
    read = _in_places(_READ, spans, len(asked))
    return [
        combined([own.take(outside(own.begins, ranges)), rest], _plan(since))
        for own, ranges, rest, (_, since, _) in zip(rolled, unknown, read, asked, strict=True)
    ]


def _time(us: int) -> datetime:
    return to_datetime(np.datetime64(us, "us"))


def _plan(since: datetime) -> Plan:
    return Plan(Level.HOUR, buckets.to_us(since), Level.HOUR.us)


def _catch_up(sensor_ids: Sequence[int]) -> None:
    """Roll up what waits of these sensors, where that is much, for all of them at once."""
    if _only_reads.get():
        return
    waits = RollupNote.objects.filter(sensor__in=sensor_ids).values("sensor")
    waits = waits.annotate(time=Sum(F("until") - F("since"))).filter(time__gt=MUCH)
    if much := list(waits.values_list("sensor", flat=True)):
        rollups.roll_up(sensors=much)


def _unknown(asked: Sequence[Asked]) -> list[list[Range]]:
    """Of each what its roll-ups do not know."""
    noted: dict[int, list[Range]] = {pk: [] for pk, _, _ in asked}
    notes = RollupNote.objects.filter(sensor__in=noted)
    for pk, since, until in notes.values_list("sensor", "since", "until"):
        noted[pk].append((buckets.to_us(since), buckets.to_us(until) + 1))
    kept = SensorProfile.objects.filter(sensor__in=noted).values_list("sensor", "kept_from")
    kept_from = {pk: buckets.to_us(time) for pk, time in kept if time is not None}
    return [
        buckets.unknown_ranges(
            _plan(since),
            (buckets.to_us(since), buckets.to_us(until)),
            noted[pk],
            kept_from.get(pk),
        )
        for pk, since, until in asked
    ]


def _in_places(
    query: str, spans: Sequence[tuple[int, int, datetime, datetime]], n: int
) -> list[Buckets]:
    """What a query says of each of n places; spans: (place, sensor, since, until)."""
    columns = [list(column) for column in zip(*spans, strict=True)] or [[]] * 4
    found = copied(query, columns, _BUCKET)
    order = np.argsort(found["place"], kind="stable")
    edges = np.searchsorted(found["place"][order], np.arange(1, n))
    whole = Buckets(
        as_times(found["time"]).astype(np.int64),
        *(found[name] for name in ("minimum", "maximum", "mean", "count")),
    )
    return [whole.take(own) for own in np.split(order, edges)]

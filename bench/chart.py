"""A month of one-second readings in a chart, against the same slices from the readings."""

from __future__ import annotations

import time
from datetime import timedelta

import numpy as np
from django.db import transaction

from bench.place import settle
from bench.readings import SEED, UNTIL, site
from bench.report import Report
from bench.timing import measure
from sensors import buckets, rollups, store
from sensors.models import RollupNote, Sensor
from sensors.series import to_datetime
from sensors.slices import Level, Plan

POINTS = 1_000
SECOND = np.timedelta64(1_000_000, "us")
# Beside the sensor of the chart, so that its readings do not lie side by side in the table.
OTHERS, OTHERS_EVERY = 9, 10


def run(report: Report, *, fast: bool) -> None:
    days = 3 if fast else 30
    sensor = _stored(days, report)
    rows = days * 86_400
    begun = time.perf_counter()
    rollups.note_all()
    rolled = rollups.roll_up()
    took = time.perf_counter() - begun
    stored = rows + OTHERS * rows // OTHERS_EVERY
    report.step(f"rolled up {stored:,} readings in {took:.1f} s: {rolled}")
    report.facts["rolled_up_per_s"] = round(stored / took)
    settle()
    rounds = 7 if fast else 5
    _month(report, sensor, rows, "", rounds)
    _noted(sensor)
    _month(report, sensor, rows, ", its last minute noted", rounds)


def _stored(days: int, report: Report) -> Sensor:
    """The sensor of the chart with the others, put there hour by hour as they would come."""
    one, *others = (
        Sensor.objects.create(site=site(), external_id=f"chart-{i}", kind="pressure")
        for i in range(OTHERS + 1)
    )
    rng = np.random.default_rng(SEED)
    for hour in range(days * 24, 0, -1):
        begin = UNTIL - hour * 3600 * SECOND
        with transaction.atomic():
            store.insert(_hour(one.pk, begin, 1, rng))
            for other in others:
                store.insert(_hour(other.pk, begin, OTHERS_EVERY, rng))
    report.step(f"stored {days} days of a reading a second, and {OTHERS} other sensors'")
    return one


def _hour(
    sensor_id: int, begin: np.datetime64, every: int, rng: np.random.Generator
) -> store.Columns:
    n = 3600 // every
    return store.Columns(
        np.full(n, sensor_id),
        begin + np.arange(0, 3600, every) * SECOND,
        rng.normal(100, 3, n) + 50 * (rng.random(n) < 1e-4),
        np.ones(n),
        np.zeros(n, np.int16),
    )


def _noted(sensor: Sensor) -> None:
    last = to_datetime(UNTIL) - timedelta(seconds=1)
    RollupNote.objects.create(sensor=sensor, since=last - timedelta(seconds=30), until=last)


def _month(report: Report, sensor: Sensor, rows: int, what: str, rounds: int) -> None:
    # Between two seconds, so that the edges have to come from the readings.
    since = to_datetime(UNTIL - rows * SECOND) + timedelta(seconds=17.5)
    until = to_datetime(UNTIL) - timedelta(seconds=17.5)
    begin, end = buckets.to_us(since), buckets.to_us(until) + 1
    raw = Plan(Level.READINGS, begin, -(-(end - begin) // POINTS))

    def chart() -> buckets.Slices:
        found = buckets.points(sensor, since=since, until=until, limit=POINTS)
        assert isinstance(found, buckets.Slices)
        return found

    found = chart()
    again = buckets.from_readings(sensor.pk, found.plan, [(begin, end)])
    order = np.argsort(again.begins)
    for column in ("begins", "minimum", "maximum", "count"):
        assert np.array_equal(getattr(found.buckets, column), getattr(again, column)[order]), column
    report.add(
        measure(
            f"{rows / 86_400:.0f} days of seconds, {POINTS:,} points{what}",
            chart,
            lambda: buckets.from_readings(sensor.pk, raw, [(begin, end)]),
            against="slices from the readings",
            readings=rows,
            rounds=rounds,
        )
    )

"""A chart and a detector's window, against a plain SELECT that fetches the same rows."""

from __future__ import annotations

from datetime import datetime

import psycopg

from bench.place import settle
from bench.readings import SEED, healthy, stored, ten_minutes_apart
from bench.report import Report
from bench.timing import measure
from mlops.features import CONTEXT_ROWS
from sensors import buckets, rollups
from sensors.models import Reading, Sensor
from sensors.series import to_datetime

POINTS = 1_000
ROWS = 20_000
SENSORS = 8
RANGE = """
SELECT time, value, quality, flags FROM sensors_reading
WHERE sensor_id = %s AND time >= %s AND time <= %s ORDER BY time
"""
LAST = """
SELECT time, value, quality FROM sensors_reading
WHERE sensor_id = %s AND time < %s ORDER BY time DESC LIMIT %s
"""


def run(report: Report, plain: psycopg.Connection, *, fast: bool) -> None:
    times = ten_minutes_apart(ROWS)
    values = [healthy("pressure", times, seed=[SEED, i]) for i in range(SENSORS)]
    sensor = [stored(f"chart-{i}", "pressure", times, each) for i, each in enumerate(values)][-1]
    rollups.note_all()
    rollups.roll_up()
    settle()
    first, last = to_datetime(times[0]), to_datetime(times[-1])
    rounds = 15 if fast else 50
    _chart(report, plain, sensor, (first, last), ROWS, rounds)
    _chart(report, plain, sensor, (to_datetime(times[-POINTS]), last), POINTS, rounds)
    _window(report, plain, sensor, last, rounds)


def _chart(
    report: Report,
    plain: psycopg.Connection,
    sensor: Sensor,
    span: tuple[datetime, datetime],
    rows: int,
    rounds: int,
) -> None:
    since, until = span

    def chart() -> None:
        found = buckets.points(sensor, since=since, until=until, limit=POINTS)
        n = len(found if isinstance(found, buckets.Singles) else found.buckets)
        assert 0.75 * POINTS <= n <= POINTS, n

    report.add(
        measure(
            f"chart, {POINTS:,} points of {rows:,} readings",
            chart,
            lambda: plain.execute(RANGE, (sensor.pk, since, until)).fetchall(),
            against="SELECT of the readings",
            readings=rows,
            rounds=rounds,
        )
    )


def _window(
    report: Report, plain: psycopg.Connection, sensor: Sensor, last: datetime, rounds: int
) -> None:
    report.add(
        measure(
            f"window, {CONTEXT_ROWS} readings",
            lambda: Reading.objects.before(sensor.pk, last, CONTEXT_ROWS),
            lambda: plain.execute(LAST, (sensor.pk, last, CONTEXT_ROWS)).fetchall(),
            against="SELECT of the readings",
            readings=CONTEXT_ROWS,
            rounds=rounds,
        )
    )

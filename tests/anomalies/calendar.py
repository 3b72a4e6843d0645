"""Readings that follow a calendar, made for tests: shifts in local time, holidays, outages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from anomalies import tasks
from anomalies.models import Anomaly
from sensors import acquisition
from sensors.formats import from_csv
from sensors.models import Sensor
from sensors.series import FloatArray, TimeArray, to_datetime, to_datetime64

ZONE = "Europe/Berlin"
STEP = np.timedelta64(10, "m")
A_DAY = 144


def grid(first: datetime, days: float) -> TimeArray:
    return to_datetime64(first) + np.arange(int(days * A_DAY)) * STEP


def local_hours(times: TimeArray) -> FloatArray:
    """Hours since midnight at the site."""
    local = [to_datetime(time).astimezone(ZoneInfo(ZONE)) for time in times]
    return np.array([at.hour + at.minute / 60 for at in local])


def load(times: TimeArray, pattern: str, rng: np.random.Generator) -> FloatArray:
    """`shift`: 60 from six to ten at night, else 40; `sun`: a sine from 42 to 58. Noise of 1."""
    hours = local_hours(times)
    if pattern == "shift":
        level = np.where((hours >= 6) & (hours < 22), 60.0, 40.0)
    else:
        level = 50 + 8 * np.sin((hours - 9) / 24 * 2 * np.pi)
    return (level + noise(len(times), rng)).round(2)


def noise(n: int, rng: np.random.Generator) -> FloatArray:
    """Autoregressive, with a standard deviation of 1."""
    found, innovation = np.zeros(n), rng.normal(size=n) * 0.8
    for row in range(1, n):
        found[row] = 0.6 * found[row - 1] + innovation[row]
    return found


def post(sensor: Sensor, times: TimeArray, values: FloatArray) -> None:
    """As a device does: through acquisition, which judges, stores and notes."""
    lines = [
        f"{to_datetime(time).isoformat()},{sensor.external_id},{value}"
        for time, value in zip(times, values, strict=True)
    ]
    parsed = from_csv("\n".join(["time,sensor,value", *lines]).encode())
    receipt = acquisition.ingest(
        parsed, site=sensor.site, source="test", now=datetime.now(UTC), backfill=True
    )
    assert receipt.quarantined == 0


def work() -> None:
    """What the worker's jobs do, until nothing waits."""
    tasks.run_detection()
    tasks.run_validation()


def found(sensor: Sensor) -> list[tuple[object, ...]]:
    """Standing anomalies, oldest first."""
    rows = Anomaly.objects.standing().filter(sensor=sensor).order_by("start")
    return list(rows.values_list("start", "peak", "end", "detector", "rung", "nature"))


def starts_within(sensor: Sensor, first: datetime, days: float) -> list[datetime]:
    rows = Anomaly.objects.standing().filter(sensor=sensor)
    rows = rows.filter(end__gte=first, start__lt=first + timedelta(days=days)).order_by("start")
    return list(rows.values_list("start", flat=True))

"""Sensors that speak, and the watch that looks on: plain functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from anomalies import detection, watch
from anomalies.models import Anomaly, SilenceWatch
from anomalies.silence import SilencePolicy
from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.models import Sensor, Site
from tests.factories import NOW, make_sensor, make_site

MINUTE = timedelta(minutes=1)
POLICY = SilencePolicy()


def speak(
    sensor: Sensor, minutes: Sequence[float], *, at: float | None = None, backfill: bool = False
) -> None:
    """Readings at these minutes after NOW, received at the minute `at`, else at the last one."""
    rows = [
        {
            "sensor": sensor.external_id,
            "time": (NOW + minute * MINUTE).isoformat(),
            "value": 40.0 + i % 3,
        }
        for i, minute in enumerate(minutes)
    ]
    received = NOW + (max(minutes) if at is None else at) * MINUTE
    batch = from_json(json.dumps(rows).encode())
    ingest(batch, site=sensor.site, source="http", now=received, backfill=backfill)


def past(n: int = 60, every: float = 1.0) -> list[float]:
    """n readings, the last one at the minute 0."""
    return [-every * i for i in range(n)][::-1]


def look(minute: float, policy: SilencePolicy = POLICY) -> None:
    """A sweep at that minute: silence first, then the notes, as the task does it."""
    watch.watch(now=NOW + minute * MINUTE, policy=policy)
    score(minute)


def score(minute: float) -> None:
    now = NOW + minute * MINUTE
    while detection.drain(now=now, policy=detection.policy()).sensors:
        pass


def keep_watch(until: float, since: float = 0.0) -> None:
    """Sweeps without a break, one every four minutes."""
    for minute in np.arange(since, until, 4.0):
        look(float(minute))
    look(until)


def start_afresh() -> None:
    """Between the examples of one test: nobody is watched, nothing was found."""
    SilenceWatch.objects.all().delete()
    Anomaly.objects.all().delete()
    Sensor.objects.update(status=Sensor.Status.RETIRED)


def silences(sensor: Sensor) -> list[Anomaly]:
    return list(Anomaly.objects.silences().filter(sensor=sensor).order_by("start"))


def spans(sensor: Sensor) -> list[tuple[float, float, bool]]:
    """(last reading, end, whether open) of the standing silences, in minutes after NOW."""
    return [
        (
            (datetime.fromisoformat(a.receipt["last"]) - NOW) / MINUTE,
            round((a.end - NOW) / MINUTE, 6),
            a.is_open,
        )
        for a in silences(sensor)
    ]


def place(n: int, **values: Any) -> tuple[Site, list[Sensor]]:
    site = make_site(**values)
    return site, [make_sensor(site=site) for _ in range(n)]

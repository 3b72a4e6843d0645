"""A small plant with hours of trouble, run live by a clock of the test's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import orjson
from django.db import connection

from anomalies import tasks
from anomalies.models import (
    Anomaly,
    DetectionLease,
    Episode,
    Message,
    NotificationRoute,
    SilenceWatch,
    WindowOccurrence,
)
from sensors import formats
from sensors.acquisition import ingest
from sensors.models import (
    Asset,
    Reading,
    RollupNote,
    ScoringNote,
    Sensor,
    SensorProfile,
    SensorRhythm,
    Site,
)
from tests.factories import NOW, make_asset, make_sensor, make_site

STEP, HOUR = timedelta(minutes=5), timedelta(hours=1)
HISTORY, LIVE = 300, 54  # steps
BEGIN = NOW
END = BEGIN + LIVE * STEP

Clock = Callable[[datetime], None]


@dataclass(frozen=True)
class Plant:
    site: Site
    pump: Asset
    fan: Asset


def build() -> Plant:
    """Two machines and a route; no readings yet."""
    site = make_site(slug="north", name="North", timezone="Europe/Berlin")
    pump, fan = (make_asset(site=site, name=name) for name in ("pump", "fan"))
    for asset, name, kind in (
        (pump, "pump.vibration", "vibration"),
        (pump, "pump.pressure", "pressure"),
        (fan, "fan.vibration", "vibration"),
        (fan, "fan.temperature", "temperature"),
    ):
        make_sensor(asset=asset, external_id=name, kind=kind, unit="", alarm_high=200.0)
    NotificationRoute.objects.create(
        name="all", channel="email", target="ada@plant.example", min_severity=1, queue=""
    )
    return Plant(site, pump, fan)


def values() -> dict[str, Any]:
    """Of each sensor, shape (HISTORY + LIVE,): quiet, then hours with two faults, a limit crossed
    and a sensor that falls silent (NaN)."""
    rng = np.random.default_rng(5)
    n = HISTORY + LIVE
    columns = {
        name: level + rng.normal(0, 1.0, n)
        for name, level in (
            ("pump.vibration", 50.0),
            ("pump.pressure", 80.0),
            ("fan.vibration", 40.0),
            ("fan.temperature", 60.0),
        )
    }
    at = HISTORY
    columns["pump.vibration"][at + 4 : at + 14] += 14
    columns["pump.pressure"][at + 7 : at + 14] -= 12
    columns["pump.vibration"][at + 34 : at + 40] += 18
    columns["fan.vibration"][at + 18 : at + 22] += 11
    columns["fan.vibration"][at + 30] = 230.0
    columns["fan.temperature"][at + 20 : at + 36] = np.nan
    return columns


def bodies() -> Iterator[tuple[datetime, bytes]]:
    """What devices send at each step, oldest first."""
    columns = values()
    for row in range(HISTORY + LIVE):
        at = BEGIN + (row - HISTORY + 1) * STEP
        rows = [
            {"sensor": name, "time": at.isoformat(), "value": float(column[row])}
            for name, column in columns.items()
            if not np.isnan(column[row])
        ]
        yield at, orjson.dumps(rows)


def run_live(plant: Plant, set_clock: Clock, *, agents: bool = True) -> None:
    """All readings as they come, and once a step the jobs; without agents they are only stored."""
    for row, (at, body) in enumerate(bodies()):
        set_clock(at)
        ingest(formats.from_json(body), site=plant.site, source="http", now=at)
        if agents and row >= HISTORY - 1:
            # Live, the sweep looks every 30 seconds.
            SilenceWatch.objects.update(seen=at)
            tasks.sweep()
            tasks.run_notification()


def forget() -> None:
    """As before the first reading; what people configured stays."""
    found: list[Any] = [Message, Episode, Anomaly, DetectionLease, SilenceWatch, ScoringNote]
    found += [RollupNote, SensorProfile, SensorRhythm, Reading]
    for model in found:
        model._default_manager.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM anomalies_detectioncheckpoint")
    WindowOccurrence.objects.update(report=None, reported_at=None, reminded_at=None)


def dump() -> dict[str, str]:
    """SHA-256 of every table, of every sequence, and of the list of all that there is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.oid::regclass::text, c.relkind FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
            "AND c.relkind IN ('r', 'p', 'S', 'v', 'i') ORDER BY 1"
        )
        found = cursor.fetchall()
        digests = {"": hashlib.sha256(repr(found).encode()).hexdigest()}
        for name, kind in found:
            if kind in {"r", "p", "S"}:
                cursor.execute(f"SELECT row(t.*)::text FROM {name} t ORDER BY 1")
                digests[name] = hashlib.sha256(repr(cursor.fetchall()).encode()).hexdigest()
    return digests


def sensor(name: str) -> Sensor:
    found: Sensor = Sensor.objects.get(external_id=name)
    return found

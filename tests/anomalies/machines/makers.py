"""A machine of three sensors that share a load, with and without a broken relation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

import numpy as np

from anomalies import routing
from anomalies.detection_policy import DetectionPolicy
from anomalies.leases import Notes
from anomalies.machines import judging
from anomalies.models import Anomaly, MachineCheckpoint
from sensors.models import Asset, ScoringNote, Sensor
from sensors.series import FloatArray, to_datetime
from tests.anomalies import production
from tests.factories import make_asset, make_sensor

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ROWS, BROKEN = 1300, slice(1000, 1150)
BEGIN = np.datetime64("2026-02-20T00:00", "us")
STEP = np.timedelta64(600, "s")
POLICY = DetectionPolicy()
NAMES = {"bearing": "temperature", "motor": "vibration", "oil": "pressure"}


@cache
def readings(seed: int = 29, rows: int = ROWS, *broken: tuple[int, int]) -> FloatArray:
    """Shape (rows, 3), every ten minutes. For the rows of BROKEN, or from the first to the second
    of each of `broken`, `motor` no longer follows the load but takes values that it had before, at
    other times."""
    rng = np.random.default_rng(seed)
    load = np.zeros(rows)
    for row in range(1, rows):
        load[row] = 0.95 * load[row - 1] + rng.normal()
    load = np.tanh(load / 3)
    spans = [slice(*span) for span in broken] or [BROKEN]
    for span in spans:
        load[span] *= 0.9
    own = rng.uniform(-0.1, 0.1, size=(rows, 3))
    values = np.column_stack([load, 2 * load, -load]) + own + [60.0, 80.0, 40.0]
    for span in spans:
        values[span, 1] = 160.0 - values[span, 1]
    return values


def make_machine() -> tuple[Asset, list[Sensor]]:
    asset = make_asset(name="pump")
    return asset, [
        make_sensor(asset=asset, kind=kind, unit="mm/s", external_id=name)
        for name, kind in NAMES.items()
    ]


def store(sensor: Sensor, column: int, rows: Sequence[int], step: np.timedelta64 = STEP) -> None:
    """Rows of `readings()` with their note, as acquisition commits them."""
    times = [to_datetime(BEGIN + row * step) for row in rows]
    production.commit(sensor, times, readings()[list(rows), column])


def drain_all(policy: DetectionPolicy = POLICY) -> None:
    production.drain(now=NOW, policy=policy)


def judge_all(policy: DetectionPolicy = POLICY) -> None:
    """As `drain_all`, but its sensors are not judged one by one, which takes most of the time."""
    noted: dict[int, list[Notes]] = {}
    for note in ScoringNote.objects.order_by("pk"):
        noted.setdefault(note.sensor_id, []).append(Notes(note.reason, note.since, note.until))
    judging.hand_on(noted, reason=lambda _: "late readings", now=NOW)
    ScoringNote.objects.all().delete()
    judging.judge_due(now=NOW, policy=policy)
    routing.route_due(now=NOW)


def in_order(policy: DetectionPolicy = POLICY) -> tuple[Asset, list[Sensor]]:
    asset, sensors = make_machine()
    for column, sensor in enumerate(sensors):
        store(sensor, column, range(ROWS))
    judge_all(policy)
    return asset, sensors


def found_of(asset: Asset) -> list[Anomaly]:
    found = Anomaly.objects.standing().filter(asset=asset)
    return list(found.select_related("sensor", "asset__site").order_by("start"))


def outcome(asset: Asset) -> list[tuple[object, ...]]:
    """To the bit; numbers of rows differ between machines, names do not."""
    return [
        (
            *(one.start, one.peak, one.end, one.readings, one.score, one.severity),
            *(one.sensor.external_id, one.observed, one.expected_low, one.expected_high),
            *(one.nature, one.nature_sort, one.nature_reason),
            *(one.explanation, one.receipt["window_sha256"]),
        )
        for one in found_of(asset)
    ]


def states(asset: Asset) -> list[tuple[int, datetime, bytes]]:
    kept = MachineCheckpoint.objects.filter(asset=asset).order_by("rows")
    return [(one.rows, one.time, bytes(one.state)) for one in kept]

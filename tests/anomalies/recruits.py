"""A site whose sensors of a kind have history, and one that is new among them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np

from anomalies.detection_policy import DetectionPolicy
from mlops import fleets
from mlops.models import FleetPrior
from sensors.generator import normal
from sensors.models import Reading, Sensor, SensorProfile, Site
from sensors.series import FloatArray, to_datetime64
from tests.anomalies import production
from tests.factories import make_sensor, make_site

MADE = datetime(2026, 3, 1, tzinfo=UTC)
BEGUN = datetime(2026, 3, 2, tzinfo=UTC)
NOW = datetime(2026, 3, 10, tzinfo=UTC)
EVERY = timedelta(minutes=10)
LENT = 1100
POLICY = DetectionPolicy()


@cache
def generated(seed: int, rows: int) -> FloatArray:
    times = to_datetime64(MADE) + np.arange(rows) * np.timedelta64(10, "m")
    return normal("pressure", times, np.random.default_rng([79, seed]))


def veteran(site: Site, seed: int, **values: object) -> Sensor:
    """A sensor with history until MADE."""
    sensor = make_sensor(site=site, **{"kind": "pressure", "unit": "kPa", **values})
    times = [MADE - EVERY * (LENT - row) for row in range(LENT)]
    Reading.objects.bulk_create(
        Reading(sensor=sensor, time=time, value=value, quality=1.0)
        for time, value in zip(times, generated(seed, LENT), strict=True)
    )
    SensorProfile.objects.create(
        sensor=sensor, count=LENT, first_time=times[0], last_time=times[-1], updated_at=MADE
    )
    return sensor


def fleet(site: Site | None = None, sensors: int = 3) -> Site:
    site = site or make_site()
    for seed in range(sensors):
        veteran(site, seed)
    return site


def learn(at: datetime = MADE) -> list[FleetPrior]:
    return fleets.learn_due(now=at, seconds=60)


def newcomer(site: Site, **values: object) -> Sensor:
    return make_sensor(site=site, **{"kind": "pressure", "unit": "kPa", **values})


def jumping() -> FloatArray:
    """Two readings of fifteen noises from the twentieth on, and two from the fiftieth."""
    values = generated(50, 70).copy()
    for at in (20, 50):
        values[at : at + 2] += 6.0
    return values


def store(sensor: Sensor, rows: np.ndarray) -> None:
    production.commit(sensor, [BEGUN + EVERY * int(row) for row in rows], jumping()[rows])


def drain() -> None:
    production.drain(now=NOW, policy=POLICY)

"""Readings and models for tests: plain functions."""

from __future__ import annotations

from functools import cache
from itertools import count

import numpy as np

from mlops import artifacts, features, registry
from mlops.approval import approve
from mlops.detectors.fitted import Fitted, candidate
from mlops.models import ModelApproval
from sensors.generator import normal
from sensors.models import Reading, Sensor
from sensors.series import FloatArray, TimeArray, to_datetime, to_datetime64
from tests.factories import NOW

INTERVAL = np.timedelta64(600_000_000, "us")
_number = count(1)


def times_of(n: int) -> TimeArray:
    """n times, ten minutes apart."""
    return np.datetime64("2026-01-01T00:00:00", "us") + INTERVAL * np.arange(n)


@cache
def healthy(
    n: int = 1000, kind: str = "vibration", seed: int = 101
) -> tuple[TimeArray, FloatArray]:
    times = times_of(n)
    return times, normal(kind, times, np.random.default_rng(seed))


@cache
def healthy_features(n: int = 1000, kind: str = "vibration", seed: int = 101) -> FloatArray:
    return features.compute(*healthy(n, kind, seed))[144:]


@cache
def fitted(name: str = "tails", seed: int = 101) -> Fitted:
    X = healthy_features(seed=seed)
    return candidate(name).fit(X[:500]).calibrate(X[500:])


def stored(sensor: Sensor, times: TimeArray, values: FloatArray) -> Sensor:
    """The sensor, with these readings, the last one ten minutes before NOW."""
    moved = times + (to_datetime64(NOW) - times[-1] - INTERVAL)
    Reading.objects.bulk_create(
        Reading(sensor=sensor, time=to_datetime(time), value=value, quality=1.0)
        for time, value in zip(moved, values, strict=True)
    )
    return sensor


def column(X: FloatArray, feature: str) -> FloatArray:
    return X[:, features.FEATURES.index(feature)]


def new_name() -> str:
    """A registered name that no other test has used: the server outlives the test."""
    return f"anomaly-kind{next(_number)}"


def register(
    detector: Fitted | None = None,
    *,
    name: str,
    artifact: bytes | None = None,
    approved: bytes | None = None,
) -> ModelApproval:
    """A detector in the registry, approved. artifact: what is stored; approved: what was meant."""
    packed = artifacts.pack(detector or fitted())
    version = registry.log_and_register(
        registry.Run("tests", name, params={"a": 1}, metrics={"f1": 0.5}),
        artifact=packed if artifact is None else artifact,
        manifest=b"{}",
        model=name,
        tags={"task": "anomaly"},
    )
    return approve(
        name=name,
        version=version,
        artifact=approved or artifact or packed,
        task="anomaly",
        sensor_kind=name.removeprefix("anomaly-"),
        detector="tails",
        dataset="readings",
        now=NOW,
    )

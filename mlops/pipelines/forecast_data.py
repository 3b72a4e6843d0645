"""What the forecast pipelines learn from: a transformer's oil temperature, or the generator."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from zoneinfo import ZoneInfo

import numpy as np

from mlops.forecasting.steps import Steps, on_grid
from mlops.forecasting.trial import Split
from mlops.pipelines import NoData, Order
from mlops.sources import ett
from sensors.generator import draw_behaviour, normal_values

HORIZON = 96
UTC = ZoneInfo("UTC")
GENERATED_FROM = np.datetime64("2025-01-01T00:00", "us")


@dataclass(frozen=True, slots=True)
class Source:
    """A split with where it comes from, in words and as a fingerprint."""

    split: Split
    dataset: str
    words: str
    parts: str
    fingerprint: str


def source(order: Order) -> Source:
    """ETTh1 where its file lies below the folder of the order, else generated. NoData."""
    path = ett.find(order.data) if order.data else None
    if path is not None:
        steps = hourly(*ett.oil_temperature(path))
        words = "ETTh1 (Zhou et al. 2021): hourly oil temperature of a transformer."
        return _source(steps, (12, 4, 4), "ETTh1", words)
    if order.must_find:
        raise NoData(f"there is no ETTh1.csv below {order.data}")
    months = (3, 1, 1) if order.fast else (6, 2, 2)
    words = "A generated temperature sensor (`sensors.generator.physics`), healthy throughout."
    return _source(generated(order.seed, sum(months)), months, "synthetic", words)


def hourly(times: np.ndarray, values: np.ndarray) -> Steps:
    """Hourly values of unbroken hours as steps."""
    return Steps(times[0], 3600, values, np.ones(len(values), dtype=bool), UTC)


def generated(seed: int, months: int) -> Steps:
    """A temperature sensor that speaks every ten minutes, as hourly means."""
    rng = np.random.default_rng([seed, months])
    hours = months * 30 * 24
    times = GENERATED_FROM + np.arange(hours * 6) * np.timedelta64(10, "m")
    values = normal_values(draw_behaviour("temperature", rng), times, rng)
    return on_grid(times, values, start=GENERATED_FROM, n=hours, step_s=3600, zone=UTC)


def _source(steps: Steps, months: tuple[int, int, int], dataset: str, words: str) -> Source:
    split = Split.of(steps, months=months, horizon=HORIZON)
    train, validate, test = months
    parts = (
        f"by time: {train} months of 30 days to train, the next {validate} to choose by, the last "
        f"{test} to test; a forecast of {HORIZON} hours from every hour whose steps all lie in the "
        "part; values in standard deviations of the training part"
    )
    digest = sha256(np.ascontiguousarray(split.steps.values, "<f8").tobytes()).hexdigest()
    return Source(split, dataset, words, parts, digest)

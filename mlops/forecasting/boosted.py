"""Boosted trees for all steps ahead at once, from lags, level, trend and the calendar. Pure.

One model serves every step: how far ahead it lies is a feature. What it learns is the difference to
a repeated last season, in units of the sensor's usual step, so several sensors can share a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import lightgbm
import numpy as np

from mlops.feature_sets import FeatureSet
from mlops.forecasting.base import BOOSTED, cycle, scale_of
from mlops.forecasting.steps import Steps, calendar
from sensors.series import FloatArray

MOST_ROWS = 60_000
FEWEST_ROWS = 200
LAGS = 3  # seasons back that are compared with the last one
FEATURES = (
    *("ahead", "hour_sin", "hour_cos", "weekday", "last", "mean_3", "mean_6", "mean_season"),
    *("trend", *(f"season_{k}" for k in range(2, LAGS + 1)), "week"),
)
COLUMNS = FeatureSet("forecast-steps", FEATURES)


@dataclass(frozen=True, slots=True)
class Shape:
    """How the trees grow."""

    rounds: int = 80
    learning_rate: float = 0.06
    leaves: int = 15
    least_in_leaf: int = 40
    feature_share: float = 0.8
    l2: float = 1.0

    def as_params(self, seed: int) -> dict[str, Any]:
        return {
            "objective": "l2",
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.least_in_leaf,
            "feature_fraction": self.feature_share,
            "lambda_l2": self.l2,
            "seed": seed,
            # The same bits again, and no threads: a forked worker cannot use its parent's.
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Boosted:
    shape: Shape = field(default_factory=Shape)
    seed: int = 0
    most_rows: int = MOST_ROWS
    name: str = BOOSTED
    fits_each: bool = False

    def fit(self, past: Steps, horizon: int) -> Trees:
        return self.fit_all([past], horizon)

    def fit_all(self, pasts: Sequence[Steps], horizon: int) -> Trees:
        """One model of several sensors."""
        tables = [training_table(past, horizon, self.most_rows // len(pasts)) for past in pasts]
        X = np.concatenate([table[0] for table in tables])
        y = np.concatenate([table[1] for table in tables])
        if len(X) < FEWEST_ROWS:
            return Trees(None, horizon)
        data = lightgbm.Dataset(X, y, feature_name=list(FEATURES), params={"verbose": -1})
        params = self.shape.as_params(self.seed)
        return Trees(lightgbm.train(params, data, num_boost_round=self.shape.rounds), horizon)


@dataclass(frozen=True, slots=True)
class Trees:
    """booster: None where the past was too short to learn from."""

    booster: lightgbm.Booster | None
    horizon: int

    def forecast(self, past: Steps) -> FloatArray:
        base = cycle(past, self.horizon)
        if self.booster is None or len(past) < past.season:
            return base
        ends = np.array([len(past)])
        rows = rows_of(past, ends, self.horizon, scale_of(past.values))
        steps = self.booster.predict(rows, num_threads=1)
        found: FloatArray = base + np.asarray(steps) * scale_of(past.values)
        return found


def training_table(past: Steps, horizon: int, most_rows: int) -> tuple[FloatArray, FloatArray]:
    """Features (m, d) and what came instead of the repeated season (m,), over past origins.

    Targets that were not measured are left out.
    """
    first = max(past.season, min(LAGS * past.season, len(past) // 3))
    ends = np.arange(first, len(past) - horizon + 1)
    if not len(ends):
        return np.zeros((0, len(FEATURES))), np.zeros(0)
    ends = ends[:: max(1, -(-len(ends) * horizon // max(most_rows, 1)))]
    scale = scale_of(past.values)
    targets = ends[:, None] + np.arange(horizon)
    base = past.values[_season_before(targets, ends, past.season)]
    y = ((past.values[targets] - base) / scale).ravel()
    known = past.known[targets].ravel()
    return rows_of(past, ends, horizon, scale)[known], y[known]


def _season_before(targets: np.ndarray, ends: np.ndarray, season: int) -> np.ndarray:
    """The row one season or more before each target, before its origin."""
    ahead = targets - ends[:, None]
    found: np.ndarray = targets - season * (ahead // season + 1)
    return found


def rows_of(past: Steps, ends: np.ndarray, horizon: int, scale: float) -> FloatArray:
    """Features of each (origin, step ahead): shape (len(ends) * horizon, d)."""
    season, ahead = past.season, np.arange(horizon)
    targets = ends[:, None] + ahead
    before = _season_before(targets, ends, season)
    base = past.values[before]
    seasons = [_at(past, before - k * season) for k in range(1, LAGS)]
    compared = [*seasons, _at(past, _season_before(targets, ends, 7 * season))]
    levels = [past.values[ends - 1], *(_mean(past, ends, width) for width in (3, 6, season))]
    trend = _mean(past, ends, season) - _mean(past, ends - season, season)
    columns = [
        np.broadcast_to(ahead.astype(float), targets.shape),
        *_clock(past, targets),
        *((level[:, None] - base) / scale for level in levels),
        np.broadcast_to(trend[:, None] / scale, targets.shape),
        *((values - base) / scale for values in compared),
    ]
    return np.stack(columns, axis=-1).reshape(-1, len(FEATURES))


def _at(past: Steps, rows: np.ndarray) -> FloatArray:
    """The values of these rows; NaN for those before the first."""
    return np.where(rows >= 0, past.values[np.maximum(rows, 0)], np.nan)


def _mean(past: Steps, stops: np.ndarray, width: int) -> FloatArray:
    """Of the `width` steps before each stop, fewer at the start; NaN where there is none."""
    sums = np.concatenate([[0.0], np.cumsum(past.values)])
    stop = np.maximum(stops, 0)
    start = np.maximum(stop - width, 0)
    return np.where(stop > 0, (sums[stop] - sums[start]) / np.maximum(stop - start, 1), np.nan)


def _clock(past: Steps, targets: np.ndarray) -> FloatArray:
    """The calendar of each target: shape (3, origins, horizon)."""
    first = int(targets[0, 0])
    when = calendar(past.times(first, int(targets[-1, -1]) + 1), past.zone)
    return np.moveaxis(when[targets - first], -1, 0)

"""Forecasters compete on a sensor's own past, from origins that roll through it. Pure.

The newest origins judge. Who is judged there was chosen by what had come of earlier forecasts when
the first of them was made, so what chooses has seen nothing of what judges. Fitting goes on as it
would have in service: at each origin nothing later is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting import bands
from mlops.forecasting.bands import Coverage
from mlops.forecasting.base import SEASONAL_NAIVE, Forecaster
from mlops.forecasting.steps import Steps
from sensors.series import FloatArray

Origins = NDArray[np.intp]
# Another must do better than a repeated season by this share to be chosen instead.
LEAST_GAIN = 0.01


@dataclass(frozen=True, slots=True)
class Course:
    """Where forecasts are made from: the number of steps before each, rising.

    judges: shape (k,), which of them judge. refits: how many times a forecaster is fitted anew on
    the way, each time for the origins up to the next.
    """

    origins: Origins
    horizon: int
    judges: NDArray[np.bool_]
    refits: int

    @property
    def chooses(self) -> NDArray[np.bool_]:
        """Which errors choose, shape (k, horizon): those known when the judging begins."""
        begins = self.origins[int(self.judges.argmax())]
        chosen_by: NDArray[np.bool_] = self.origins[:, None] + np.arange(self.horizon) < begins
        return chosen_by


@dataclass(frozen=True, slots=True)
class Record:
    """How the forecasters did, in the sensor's unit.

    mae: mean absolute error over the judging origins; chosen: by the older origins; coverage: of
    the band of the chosen one.
    """

    chosen: str
    mae: Mapping[str, float]
    chosen_by: Mapping[str, float]
    coverage: Coverage | None
    origins: int

    @property
    def gain(self) -> float:
        """The share of seasonal naive's error that the chosen one does not make; may be below 0."""
        naive = self.mae[SEASONAL_NAIVE]
        return 1 - self.mae[self.chosen] / naive if naive > 0 else 0.0

    @property
    def beats_naive(self) -> bool:
        return self.gain > 0


def course(n: int, horizon: int, *, origins: int, refits: int) -> Course:
    """Origins in the newer two thirds of n steps, as evenly spread as can be.

    Those judge before which an earlier one has all its steps passed, and as many others again.
    """
    last = n - horizon
    first = min(max(n // 3, n - 6 * horizon), last)
    places = np.unique(np.linspace(first, last, min(origins, last - first + 1)).round().astype(int))
    edge = first + max((last - first - horizon) // 2, 0)
    return Course(places, horizon, places >= edge + horizon, refits)


def errors_of(forecaster: Forecaster, steps: Steps, course: Course) -> FloatArray:
    """Measured minus forecast at each origin and step ahead: shape (k, horizon).

    NaN for steps that were not measured.
    """
    parts = len(course.origins) if forecaster.fits_each else min(course.refits, len(course.origins))
    errors = np.full((len(course.origins), course.horizon), np.nan)
    for rows in np.array_split(np.arange(len(course.origins)), parts):
        fitted = forecaster.fit(steps.until(int(course.origins[rows[0]])), course.horizon)
        for i in rows:
            ahead = slice(int(course.origins[i]), int(course.origins[i]) + course.horizon)
            expected = fitted.forecast(steps.until(int(course.origins[i])))
            errors[i] = np.where(steps.known[ahead], steps.values[ahead] - expected, np.nan)
    return errors


def compete(
    forecasters: Sequence[Forecaster], steps: Steps, course: Course
) -> tuple[Record, dict[str, FloatArray]]:
    """Who is chosen and how everyone did, with everyone's errors. One of them is seasonal naive."""
    errors = {each.name: errors_of(each, steps, course) for each in forecasters}
    by = {name: _mae(found[course.chooses]) for name, found in errors.items()}
    chosen = _chosen(by)
    held = bands.coverage(errors[chosen], course.origins, course.judges)
    mae = {name: _mae(found[course.judges]) for name, found in errors.items()}
    return Record(chosen, mae, by, held, int(course.judges.sum())), errors


def _chosen(mae: Mapping[str, float]) -> str:
    best = min(mae, key=lambda name: (mae[name], name))
    is_better = mae[best] < (1 - LEAST_GAIN) * mae[SEASONAL_NAIVE]
    return best if is_better else SEASONAL_NAIVE


def _mae(errors: FloatArray) -> float:
    known = np.abs(errors[np.isfinite(errors)])
    return float(known.mean()) if len(known) else float("nan")

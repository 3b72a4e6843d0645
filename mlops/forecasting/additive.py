"""Prophet: a trend with change points and the shapes of day and week. Pure, and heavy to import."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops.forecasting.base import ADDITIVE
from mlops.forecasting.steps import DAY_S, WEEK_S, Steps, local
from sensors.series import FloatArray

WEEKS, YEARS = 2, 1.5  # of a past from which a weekly and a yearly shape is learnt
FEWEST_STEPS = 10


@dataclass(frozen=True, slots=True)
class Additive:
    name: str = ADDITIVE
    fits_each: bool = True

    def fit(self, past: Steps, horizon: int) -> Curve:
        from prophet import Prophet

        # Both say at each fit, at level INFO, that they fit.
        for name in ("cmdstanpy", "prophet"):
            logging.getLogger(name).setLevel(logging.WARNING)
        length_s = past.step_s * len(past)
        model = Prophet(
            daily_seasonality=past.step_s <= DAY_S // 4,
            weekly_seasonality=length_s >= WEEKS * WEEK_S,
            yearly_seasonality=length_s >= YEARS * 365 * DAY_S,
            uncertainty_samples=0,
        )
        model.fit(_frame(past, 0, len(past), past.known))
        return Curve(model, horizon)


@dataclass(frozen=True, slots=True)
class Curve:
    model: Any
    horizon: int

    def forecast(self, past: Steps) -> FloatArray:
        ahead = _frame(past, len(past), len(past) + self.horizon)
        return np.asarray(self.model.predict(ahead)["yhat"], dtype=float)


def _frame(past: Steps, first: int, stop: int, known: np.ndarray | None = None) -> Any:
    """Times as the clock of the site shows them, with the values that were measured."""
    from pandas import DataFrame

    clocks = [time.replace(tzinfo=None) for time in local(past.times(first, stop), past.zone)]
    frame = DataFrame({"ds": clocks})
    if known is not None:
        frame["y"] = past.values[first:stop]
        frame = frame[known]
    return frame

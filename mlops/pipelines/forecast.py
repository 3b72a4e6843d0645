"""forecast: 96 hours ahead, by a ridge regression and by boosted trees, against repeating a day.

Both are fitted on the oldest part, the middle part says which one is champion, and the newest part
is looked at once. Prophet, whose models are no files that may be loaded, is measured beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import Ridge

from mlops.forecasting import bands, trial
from mlops.forecasting.additive import Additive
from mlops.forecasting.averaged import Averaged
from mlops.forecasting.base import BOOSTED, LINEAR, Fitted
from mlops.forecasting.boosted import COLUMNS, Boosted, Shape, Trees, rows_of
from mlops.forecasting.linear import WINDOW, Linear, Weights
from mlops.forecasting.naive import SeasonalNaive
from mlops.forecasting.steps import Steps
from mlops.forecasting.trial import Split
from mlops.pipelines import Order, Story, Trained
from mlops.pipelines.forecast_data import Source, source
from mlops.pipelines.recording import About, Result, record_all
from mlops.predictor import REGRESSION, Predictor
from sensors.series import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODEL = "forecast"
RANKED_BY = ("validation_gain",)
ROWS, FAST_ROWS = 300_000, 60_000
PROPHET_EVERY, PROPHET_WINDOW = 96, 90 * 24
# Hours between the origins that are looked at; the band needs fewer, and not always the same hour.
FAST_EVERY, BAND_EVERY = 5, 5
HEADLINE = {
    "test_mse": "MSE, standardised, 96 hours",
    "test_gain": "error of repeating a day that is not made",
    "test_coverage_80": "coverage of the 80 % band",
}


def run(order: Order) -> list[Trained]:
    """Fit, measure and register both. NoData where files were asked for and are not there."""
    data = source(order)
    beside = baselines(data.split, fast=order.fast)
    order.say(f"{data.dataset}: repeating a day errs {beside['naive_test_mse']:.4f}")
    results = [_linear(data, beside, order), boosted(data, beside, Shape(), order)]
    trained = record_all(results, about(data, MODEL), order, by=RANKED_BY)
    for each in trained:
        order.say(line(each))
    return trained


def about(data: Source, experiment: str) -> About:
    return About(
        experiment=experiment,
        model=experiment,
        task=REGRESSION,
        sensor_kind="temperature",
        dataset=data.dataset,
        trained_on=data.fingerprint,
        story=Story(
            purpose="Forecasts 96 hours of an hourly temperature from two weeks of it.",
            data=data.words,
            split=data.parts,
            measured="Mean squared error over all test origins and steps, in standard deviations.",
            limits=(
                "Sensors in service are forecast by models fitted on their own past, not by this.",
            ),
        ),
        headline=HEADLINE,
    )


def baselines(split: Split, *, fast: bool) -> dict[str, float]:
    """Errors of what is not registered; Prophet's at every 96th origin, naive's there as well."""
    naive = SeasonalNaive().fit(split.training, split.horizon)
    mean = Averaged().fit(split.training, split.horizon)
    found = {
        "naive_validation_mse": _mse(naive, split, split.validate, split.test),
        "naive_test_mse": _mse(naive, split, split.test, split.end),
        "seasonal_mean_test_mse": _mse(mean, split, split.test, split.end, every=4),
    }
    if not fast:
        some = trial.errors(naive, split, split.test, split.end, PROPHET_EVERY)
        prophet = trial.refitted_errors(
            Additive(), split, window=PROPHET_WINDOW, every=PROPHET_EVERY
        )
        found["naive_every_96th_test_mse"] = float(np.mean(some**2))
        found["prophet_every_96th_test_mse"] = float(np.mean(prophet**2))
    return found


def measured(
    fitted: Fitted, split: Split, beside: dict[str, float], *, fast: bool
) -> dict[str, float]:
    """A candidate's errors on both parts, against repeating a day, and how its band held.

    fast: from every fifth origin.
    """
    every = FAST_EVERY if fast else 1
    validation = _mse(fitted, split, split.validate, split.test, every)
    test = _mse(fitted, split, split.test, split.end, every)
    return {
        **beside,
        "validation_mse": validation,
        "validation_gain": 1 - validation / beside["naive_validation_mse"],
        "test_mse": test,
        "test_gain": 1 - test / beside["naive_test_mse"],
        "test_coverage_80": trial.covered(fitted, split, BAND_EVERY * every),
    }


def _linear(data: Source, beside: dict[str, float], order: Order) -> Result:
    split = data.split
    fitted = Linear().fit(split.training, split.horizon)
    outputs = tuple(f"ahead_{step}_less_newest" for step in range(1, split.horizon + 1))
    predictor = Predictor(
        LINEAR, REGRESSION, WINDOW.name, WINDOW.columns, outputs, _as_ridge(fitted)
    )
    recent = split.steps.values[split.test - fitted.window : split.test]
    return Result(
        predictor,
        measured(fitted, split, beside, fast=order.fast),
        {"split": data.parts, "window": fitted.window, "seed_matters": False},
        plots=plots(f"{data.dataset}: {LINEAR}", fitted, split),
        example=(recent - recent[-1])[np.newaxis],
        own_name=f"{MODEL}-{LINEAR}",
    )


def _as_ridge(fitted: Weights) -> Ridge:
    """The weights as an estimator of scikit-learn, which is what an artifact may hold."""
    if fitted.matrix is None:
        raise ValueError("it was not fitted: the past is too short")
    ridge = Ridge(fit_intercept=False)
    ridge.coef_ = fitted.matrix.T
    ridge.intercept_ = 0.0
    ridge.n_features_in_ = fitted.window
    return ridge


def boosted(
    data: Source, beside: dict[str, float], shape: Shape, order: Order, own: str = BOOSTED
) -> Result:
    """Trees of that shape, fitted on the training part."""
    split = data.split
    rows = FAST_ROWS if order.fast else ROWS
    fitted = Boosted(shape, order.seed, rows).fit(split.training, split.horizon)
    past = split.steps.until(split.test)
    return Result(
        Predictor(
            BOOSTED, REGRESSION, COLUMNS.name, COLUMNS.columns, ("step_less_day",), fitted.booster
        ),
        measured(fitted, split, beside, fast=order.fast),
        {"split": data.parts, "most_rows": rows, **shape.as_dict()},
        plots={
            **plots(f"{data.dataset}: {BOOSTED}", fitted, split),
            "importance.png": _importance(fitted),
        },
        example=_example(past, split.horizon),
        own_name=f"{MODEL}-{own}",
    )


def _example(past: Steps, horizon: int) -> FloatArray:
    return rows_of(past, np.array([len(past)]), horizon, 1.0)[:5]


def _mse(fitted: Fitted, split: Split, first: int, end: int, every: int = 1) -> float:
    return float(np.mean(trial.errors(fitted, split, first, end, every) ** 2))


def plots(title: str, fitted: Fitted, split: Split) -> dict[str, Figure]:
    """A forecast of the test part with its band, and the error by how far ahead it is."""
    from matplotlib.figure import Figure

    origin, days = split.test + 10 * 24, 7 * 24
    past = trial.errors(fitted, split, origin - trial.MONTH, origin, 24)
    half, mean = bands.half_widths(past), fitted.forecast(split.steps.until(origin))
    ahead, whole = np.arange(split.horizon), split.steps.values[origin - days :]
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(-days, split.horizon), whole[: days + split.horizon], label="measured")
    axes.plot(ahead, mean, "--", label="forecast")
    axes.fill_between(ahead, mean - half, mean + half, alpha=0.3, label="80 % band")
    axes.set(title=title, xlabel="hours ahead", ylabel="standard deviations")
    axes.legend()
    by_step = np.mean(trial.errors(fitted, split, split.test, split.end, 4) ** 2, axis=0)
    second = Figure(figsize=(8, 3), layout="constrained")
    second.subplots().plot(ahead + 1, by_step)
    second.axes[0].set(title=f"{title}, test part", xlabel="hours ahead", ylabel="MSE")
    return {"forecast.png": figure, "error_by_step.png": second}


def _importance(fitted: Trees) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    gain = fitted.booster.feature_importance("gain") if fitted.booster else np.zeros(0)
    axes.barh(list(COLUMNS.columns)[: len(gain)], gain)
    axes.set_title("gain by feature")
    return figure


def line(trained: Trained) -> str:
    metrics = trained.metrics
    gain = metrics["test_gain"]
    against = f"{gain:.0%} less than" if gain > 0 else "no less than"
    return (
        f"{trained.model} v{trained.version} {trained.detector}: MSE {metrics['test_mse']:.4f}, "
        f"{against} repeating a day; band covers {metrics['test_coverage_80']:.0%} {trained.role}"
    ).rstrip()

"""forecast-tuning: how the boosted trees of `forecast` should grow, searched for by Optuna.

Each trial is judged on three folds that roll through the training and the middle part: it is fitted
on what lies before a fold and judged on the fold. The test part is looked at once, by the winner.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops.forecasting import trial
from mlops.forecasting.boosted import Boosted, Shape
from mlops.forecasting.trial import MONTH, Split
from mlops.pipelines import Order, Trained
from mlops.pipelines.forecast import RANKED_BY, about, baselines, boosted, line
from mlops.pipelines.forecast_data import source
from mlops.pipelines.recording import record_all

EXPERIMENT = "forecast-tuning"
TRIALS, FAST_TRIALS = 20, 4
FOLDS = 3
ROWS = 40_000
EVERY = 12  # hours between the origins that judge a trial


def run(order: Order) -> list[Trained]:
    """Search, fit the best shape and the usual one, measure and register both."""
    data = source(order)
    beside = baselines(data.split, fast=True)
    found, loss, usual = search(data.split, order)
    order.say(f"best of the trials: MSE {loss:.4f} over the folds, {usual:.4f} by the usual shape")
    told = {"folds_mse_tuned": loss, "folds_mse_usual": usual}
    tuned = boosted(data, beside | told, found, order, own="tuned")
    plain = boosted(data, beside | told, Shape(), order, own="untuned")
    trained = record_all([tuned, plain], about(data, EXPERIMENT), order, by=RANKED_BY)
    for each in trained:
        order.say(line(each))
    return trained


def search(split: Split, order: Order) -> tuple[Shape, float, float]:
    """The best shape, its loss over the folds and that of the usual shape. A function of the seed:
    one trial after the other, by the tree-structured Parzen estimator."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=order.seed)
    study = optuna.create_study(direction="minimize", sampler=sampler)
    study.enqueue_trial(Shape().as_dict())
    numbers = range(FAST_TRIALS if order.fast else TRIALS)
    for _ in order.track(numbers, "trials"):
        asked = study.ask()
        study.tell(asked, folds_mse(_shape(asked), split, order.seed))
    best = study.best_trial
    return Shape(**best.params), float(best.value or 0.0), float(study.trials[0].value or 0.0)


def folds(split: Split) -> list[tuple[int, int]]:
    """(first, end) of the parts that judge, oldest first; all of them before the test part."""
    length = min(MONTH, split.test // 5)
    return [(split.test - (k + 1) * length, split.test - k * length) for k in range(FOLDS)][::-1]


def folds_mse(shape: Shape, split: Split, seed: int) -> float:
    losses = []
    for first, end in folds(split):
        past = split.steps.until(first)
        fitted = Boosted(shape, seed, ROWS).fit(past, split.horizon)
        losses.append(np.mean(trial.errors(fitted, split, first, end, EVERY) ** 2))
    return float(np.mean(losses))


def _shape(asked: Any) -> Shape:
    """What Optuna suggests for a trial."""
    return Shape(
        rounds=asked.suggest_int("rounds", 40, 200, step=20),
        learning_rate=asked.suggest_float("learning_rate", 0.01, 0.2, log=True),
        leaves=asked.suggest_int("leaves", 4, 63, log=True),
        least_in_leaf=asked.suggest_int("least_in_leaf", 10, 400, log=True),
        feature_share=asked.suggest_float("feature_share", 0.4, 1.0),
        l2=asked.suggest_float("l2", 0.01, 100.0, log=True),
    )

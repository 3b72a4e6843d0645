"""Fitted predictors for tests: plain functions, in milliseconds."""

from __future__ import annotations

from functools import cache
from typing import Any

import lightgbm
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from mlops.detectors.base import Tail
from mlops.detectors.mahalanobis import Mahalanobis
from mlops.extraction.machining import ENGINEERED, engineered
from mlops.predictor import CLASSIFICATION, NOVELTY, REGRESSION, Predictor
from mlops.simulated import machining
from sensors.series import FloatArray

COLUMNS = ENGINEERED.columns


@cache
def rows() -> tuple[FloatArray, Any]:
    made = machining.generate(800, np.random.default_rng(1))
    return engineered(made.rows), made.failed


def forest() -> Predictor:
    X, y = rows()
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, y)
    return _predictor(CLASSIFICATION, ("runs", "fails"), model)


def booster() -> Predictor:
    X, y = rows()
    params = {"objective": "binary", "verbosity": -1}
    model = lightgbm.train(params, lightgbm.Dataset(X, y), num_boost_round=5)
    return _predictor(CLASSIFICATION, ("runs", "fails"), model)


def ridge() -> Predictor:
    X, y = rows()
    model = Pipeline([("scale", StandardScaler()), ("model", Ridge())]).fit(X, y.astype(float))
    return _predictor(REGRESSION, ("share",), model)


def novelty() -> Predictor:
    X, _ = rows()
    model = Pipeline([("scale", StandardScaler()), ("model", Mahalanobis())]).fit(X[:400])
    tail = Tail.learn(-model.score_samples(X[400:]))
    return _predictor(NOVELTY, ("score",), model, tail)


KINDS = {"forest": forest, "booster": booster, "ridge": ridge, "novelty": novelty}


def _predictor(
    task: str, outputs: tuple[str, ...], model: Any, tail: Tail | None = None
) -> Predictor:
    name = type(model).__name__
    return Predictor(name, task, ENGINEERED.name, COLUMNS, outputs, model, tail=tail)

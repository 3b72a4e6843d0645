"""rul: how many flights does this engine have left? NASA C-MAPSS FD001.

LightGBM on the sensors since the engine was new, beside a ridge regression on the same features and
the mean of all. What lies beyond 125 cycles is said as 125: until then nothing wears that could be
measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlops.extraction.turbofan import CAP, RELATIVE, relative
from mlops.pipelines import NoData, Order, Story, Trained, measuring, plots
from mlops.pipelines.recording import SYNTHETIC, About, Result, record_all
from mlops.predictor import REGRESSION, Predictor
from mlops.simulated import turbofan as simulated
from mlops.sources import cmapss
from mlops.sources.cmapss import Cmapss
from mlops.sources.files import fingerprint
from sensors.series import FloatArray

MODEL = "remaining-life"
SEEDS = 5
ROUNDS, FAST_ROUNDS = 300, 60
PARAMS = {
    "objective": "l2",
    "num_leaves": 15,
    "learning_rate": 0.03,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class Data:
    flights: Cmapss
    dataset: str
    said: str


def run(order: Order) -> list[Trained]:
    data = _data(order)
    found = data.flights
    X, y = relative(found.train), np.minimum(found.train.remaining(), CAP)
    last = relative(found.test)[found.test.last()]
    true = np.minimum(found.remaining, CAP)
    results = [_boosted(X, y, last, true, order), _linear(X, y, last, true)]
    for result in results:
        order.say(f"{MODEL} {result.detector.name}: RMSE {result.metrics['rmse']:.2f} cycles")
    about = About(
        experiment="rul",
        model=MODEL,
        task=REGRESSION,
        sensor_kind="",
        dataset=data.dataset,
        trained_on=fingerprint(found.train.sensors, found.test.sensors, found.remaining),
        story=_story(data),
        headline={
            "rmse": "RMSE, cycles",
            "nasa_score": "NASA score",
            "baseline_rmse": "RMSE of the mean",
        },
    )
    return record_all(results, about, order, by=("negative_rmse",))


def _data(order: Order) -> Data:
    path = cmapss.find(order.data) if order.data else None
    if path is not None:
        said = "NASA C-MAPSS FD001 (Saxena & Goebel 2008): 100 engines to failure, 100 cut off."
        return Data(cmapss.read(path), "cmapss-fd001", said)
    if order.must_find:
        raise NoData(f"no train_FD001.txt below {order.data}")
    rng = np.random.default_rng([order.seed, 5])
    engines = 15 if order.fast else 60
    train = simulated.fleet(engines, rng)
    test, remaining = simulated.cut_off(simulated.fleet(engines, rng), rng)
    said = f"{2 * engines} generated engines: `mlops/simulated/turbofan.py`."
    return Data(Cmapss(train, test, remaining), SYNTHETIC, said)


def _boosted(
    X: FloatArray, y: FloatArray, last: FloatArray, true: FloatArray, order: Order
) -> Result:
    seeds = range(order.seed, order.seed + (1 if order.fast else SEEDS))
    models = [_fit(X, y, seed, order.fast) for seed in order.track(seeds, "rul lightgbm")]
    measured = [_errors(_predictor("lightgbm", model), last, true) for model in models]
    shares = models[0].feature_importance("gain")
    pictures = {"importance.png": plots.importance(RELATIVE.columns, shares / shares.sum())}
    return _result("lightgbm", models[0], measuring.over(measured), last, true, y, pictures)


def _linear(X: FloatArray, y: FloatArray, last: FloatArray, true: FloatArray) -> Result:
    model = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(X, y)
    measured = _errors(_predictor("ridge", model), last, true)
    return _result("ridge", model, measured, last, true, y, {})


def _fit(X: FloatArray, y: FloatArray, seed: int, fast: bool) -> lightgbm.Booster:
    data = lightgbm.Dataset(X, y, feature_name=list(RELATIVE.columns))
    rounds = FAST_ROUNDS if fast else ROUNDS
    return lightgbm.train(PARAMS | {"seed": seed}, data, num_boost_round=rounds)


def _result(
    name: str,
    model: Any,
    metrics: dict[str, float],
    last: FloatArray,
    true: FloatArray,
    y: FloatArray,
    pictures: dict[str, Any],
) -> Result:
    predictor = _predictor(name, model)
    constant = float(np.sqrt(np.mean((true - y.mean()) ** 2)))
    said = clipped(predictor, last)
    pictures["said_and_true.png"] = plots.against(true, said, "cycles left of the test engines")
    return Result(
        predictor,
        metrics | {"negative_rmse": -metrics["rmse"], "baseline_rmse": constant},
        {"rows": len(y), "test_engines": len(true), "cap_cycles": CAP},
        plots=pictures,
        example=last[:5],
        own_name=f"{MODEL}-{name}",
    )


def clipped(predictor: Predictor, X: FloatArray) -> FloatArray:
    """Cycles left, within what can be said: 0 to the cap."""
    return np.clip(predictor.predict(X)[:, 0], 0.0, CAP)


def _errors(predictor: Predictor, last: FloatArray, true: FloatArray) -> dict[str, float]:
    """Root mean square, and NASA's own score, to which saying too many costs more."""
    late = clipped(predictor, last) - true
    score = np.where(late < 0, np.expm1(-late / 13), np.expm1(late / 10)).sum()
    return {"rmse": float(np.sqrt(np.mean(late**2))), "nasa_score": float(score)}


def _predictor(name: str, model: Any) -> Predictor:
    return Predictor(
        name=name,
        task=REGRESSION,
        feature_set=RELATIVE.name,
        features_=RELATIVE.columns,
        outputs=("remaining_cycles",),
        model=model,
    )


def _story(data: Data) -> Story:
    return Story(
        purpose="Says how many cycles an engine has left, up to 125.",
        data=data.said,
        split=(
            "By engine, as published: the test engines are others than those learnt from, each "
            "cut off before its end. The window and the features are those that did best in folds "
            "over the training engines; the test engines' figures were seen beside them."
        ),
        measured=(
            "On the last known cycle of each test engine, true values capped at 125 as in the "
            "literature (published results: about 10.4 to 11.5). LightGBM: mean over seeds, with "
            "the central 90 %; the first seed's model is registered. The baseline says the mean."
        ),
        limits=("One operating condition and one fault mode; other fleets need other models.",),
    )

"""How far a bearing's whole feature vector is from that of bearings which were new.

Run-to-failure sets, split by bearing: each bearing is judged by a model of the others' beginnings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from mlops.detectors.base import Tail
from mlops.detectors.mahalanobis import Mahalanobis
from mlops.extraction.vibration import IN_TIME, WHOLE_SINCE_NEW, whole
from mlops.pipelines import NoData, Order, Story, Trained, plots
from mlops.pipelines.recording import SYNTHETIC, About, Result, record_all
from mlops.predictor import NOVELTY, Predictor
from mlops.simulated import bearings as simulated
from mlops.sources import ims, run_to_failure
from mlops.sources.files import fingerprint, first
from sensors.series import FloatArray

MODEL = "bearing-wear"
NEW, HEALTHY, WORN = 0.15, 0.5, 0.9  # shares of a life
RMS = IN_TIME.index("rms")


@dataclass(frozen=True, slots=True)
class Life:
    """One bearing: features since it was new, shape (n, d), and whether it failed at the end."""

    name: str
    X: FloatArray
    failed: bool


def run(order: Order) -> list[Trained]:
    lives, dataset, said = _data(order)
    results = [_result(name, lives, order) for name in ("mahalanobis", "isolation-forest")]
    for result in results:
        order.say(f"{MODEL} {result.detector.name}: ROC-AUC {result.metrics['roc_auc']:.3f}")
    about = About(
        experiment="bearing",
        model=MODEL,
        task=NOVELTY,
        sensor_kind="vibration",
        dataset=dataset,
        trained_on=fingerprint(*[life.X for life in lives]),
        story=_story(said),
        headline={
            "roc_auc": "ROC-AUC, worn from healthy",
            "baseline_roc_auc": "of the rms alone",
            "failed_bearings": "bearings that failed",
        },
    )
    return record_all(results, about, order, by=("roc_auc",))


def _data(order: Order) -> tuple[list[Life], str, str]:
    if order.data is not None:
        if bearings := run_to_failure.find(order.data):
            said = f"{len(bearings)} bearings run to failure (XJTU-SY or FEMTO)."
            return [_read(each) for each in bearings], "run-to-failure", said
        if path := first(order.data, "test2_raw_every16th.npz"):
            return _of_ims(path), "ims-test2", "NASA/IMS test 2, every sixteenth raw snapshot."
    if order.must_find:
        raise NoData(f"no run-to-failure bearings (XJTU-SY, FEMTO, IMS) below {order.data}")
    rng = np.random.default_rng([order.seed, 17])
    snapshots = 60 if order.fast else 120
    made = [simulated.life(snapshots, 4096, fails=True, rng=rng) for _ in range(6)]
    lives = [
        Life(f"generated {n + 1}", _since_new(_features(x, simulated.RATE_HZ, 33.3)), True)
        for n, x in enumerate(made)
    ]
    return lives, SYNTHETIC, "Six generated bearings: `mlops/simulated/bearings.py`."


def _read(bearing: run_to_failure.Bearing) -> Life:
    snapshots = (bearing.read(path) for path in bearing.paths)
    rows = [_features(x[None], run_to_failure.RATE_HZ, bearing.shaft_hz) for x in snapshots]
    return Life(bearing.name, _since_new(np.concatenate(rows)), True)


def _of_ims(path: Path) -> list[Life]:
    _, raw = ims.raw(path)
    return [
        Life(
            f"bearing {n + 1}",
            _since_new(_features(raw[:, :, n], ims.RATE_HZ, ims.SHAFT_HZ)),
            n == 0,
        )
        for n in range(ims.BEARINGS)
    ]


def _features(snapshots: FloatArray, rate_hz: float, shaft_hz: float) -> FloatArray:
    return whole(snapshots, rate_hz, np.full(len(snapshots), shaft_hz))


def _since_new(X: FloatArray) -> FloatArray:
    """Minus the median of the bearing's own first 15 %."""
    return np.asarray(X - np.median(X[: max(int(NEW * len(X)), 5)], axis=0))


def _result(name: str, lives: list[Life], order: Order) -> Result:
    failed = [life for life in lives if life.failed]
    scored = {
        life.name: _fit(name, [e for e in lives if e is not life], order).predict(life.X)[:, 0]
        for life in lives
    }
    aucs = [_auc(scored[life.name]) for life in failed]
    plain = [_auc(life.X[:, RMS]) for life in failed]
    metrics = {
        "roc_auc": float(np.mean(aucs)),
        "roc_auc_low": min(aucs),
        "roc_auc_high": max(aucs),
        "baseline_roc_auc": float(np.mean(plain)),
        "failed_bearings": float(len(failed)),
    }
    curves = {n: (np.arange(len(s), dtype=float)[::-1], s) for n, s in scored.items()}
    return Result(
        _fit(name, lives, order),
        metrics,
        {"bearings": len(lives), "split": "bearing left out"},
        plots={"to_failure.png": plots.to_failure(curves, 0.5)},
        example=lives[0].X[:5],
        own_name=f"{MODEL}-{name}",
    )


def _auc(score: FloatArray) -> float:
    """Of the last tenth of a life against its first half, the very beginning left out."""
    n = len(score)
    healthy, worn = score[int(NEW * n) : int(HEALTHY * n)], score[int(WORN * n) :]
    labels = np.r_[np.zeros(len(healthy)), np.ones(len(worn))]
    return float(roc_auc_score(labels, np.r_[healthy, worn]))


def _fit(name: str, lives: list[Life], order: Order) -> Predictor:
    """On the first half of each life: even rows to fit, odd rows to calibrate."""
    healthy = np.concatenate([life.X[: int(HEALTHY * len(life.X))] for life in lives])
    forest = IsolationForest(n_estimators=200, random_state=order.seed)
    model = Mahalanobis() if name == "mahalanobis" else forest
    pipeline = Pipeline([("scale", StandardScaler()), ("model", model)]).fit(healthy[::2])
    tail = Tail.learn(-pipeline.score_samples(healthy[1::2]))
    columns = WHOLE_SINCE_NEW.columns
    return Predictor(name, NOVELTY, WHOLE_SINCE_NEW.name, columns, ("score",), pipeline, tail=tail)


def _story(said: str) -> Story:
    return Story(
        purpose="Says how unusual a snapshot has become, compared with bearings that were new.",
        data=said,
        split=(
            "By bearing: each is judged by a model of the first halves of the others' lives, and "
            "measured against its own first 15 %."
        ),
        measured=(
            "ROC-AUC of the last tenth of a life against 15 to 50 % of it, mean over the bearings "
            "that failed, with the lowest and the highest. Baseline: the rms alone."
        ),
        limits=(
            "Run-in drift raises it early on some bearings: for alarms use `bearing-failure`.",
            "With one bearing that failed there is one figure and no interval.",
        ),
    )

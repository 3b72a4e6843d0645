"""anomaly: one champion per kind of sensor, learnt from the readings in the database.

The candidates are fitted on the oldest half of each sensor's readings, calibrated on the next
quarter, and judged on the newest quarter, where the generator's faults are put into copies of it.
The one with the highest F1 at the alarm level becomes champion; before it is registered, it is
fitted and calibrated again with all rows, in the same way.
"""

from __future__ import annotations

import numpy as np

from mlops import datasets
from mlops.datasets import Dataset
from mlops.detectors.fitted import CANDIDATES, candidate
from mlops.detectors.statistical import Statistical
from mlops.pipelines import NoData, Order, Trained, injection
from mlops.pipelines.recording import About, Result, record_all
from mlops.serving import model_for_kind

MIN_FIT_ROWS, MIN_CALIBRATION_ROWS = 200, 60
FINAL_FIT = 2 / 3
RANKED_BY = ("injected_f1", "injected_average_precision")


def run(order: Order) -> list[Trained]:
    """Train every kind that has enough readings. NoData when none has."""
    trained: list[Trained] = []
    for kind in datasets.kinds():
        dataset = datasets.of_kind(kind, until=order.now)
        fit, calibrate = len(dataset.fit()), len(dataset.calibrate())
        if fit < MIN_FIT_ROWS or calibrate < MIN_CALIBRATION_ROWS:
            order.say(
                f"{kind}: {fit} rows to fit and {calibrate} to calibrate on; needs "
                f"{MIN_FIT_ROWS} and {MIN_CALIBRATION_ROWS}, skipped"
            )
            continue
        trained += train_kind(dataset, order)
    if not trained:
        raise NoData("no kind has enough readings; `manage.py seed` makes some")
    return trained


def train_kind(dataset: Dataset, order: Order) -> list[Trained]:
    """All candidates of one kind, registered; the best is champion."""
    rng = np.random.default_rng([order.seed, *dataset.kind.encode()])
    cases = injection.draw(dataset, repeats=1 if order.fast else 2, rng=rng)
    if not cases.sorts:
        order.say(f"{dataset.kind}: too few held-back readings to judge by, skipped")
        return []
    baseline = injection.quality(Statistical(), cases, rng=rng)
    results = [_result(name, dataset, cases, baseline, order) for name in CANDIDATES]
    about = About(
        experiment="anomaly",
        model=model_for_kind(dataset.kind),
        task="anomaly",
        sensor_kind=dataset.kind,
        dataset="readings",
        trained_on=dataset.fingerprint(),
    )
    trained = record_all(results, about, order, by=RANKED_BY)
    for each in trained:
        order.say(_line(each))
    return trained


def _result(
    name: str,
    dataset: Dataset,
    cases: injection.Cases,
    baseline: dict[str, float],
    order: Order,
) -> Result:
    rng = np.random.default_rng([order.seed, 1])
    judged = candidate(name, seed=order.seed).fit(dataset.fit()).calibrate(dataset.calibrate())
    metrics = injection.quality(judged, cases, rng=rng)
    metrics |= {f"statistical_{key}": baseline[key] for key in RANKED_BY}
    final = candidate(name, seed=order.seed).fit(dataset.older(FINAL_FIT))
    final.calibrate(dataset.newer(FINAL_FIT))
    return Result(final, metrics, _params(dataset, cases))


def _params(dataset: Dataset, cases: injection.Cases) -> dict[str, object]:
    return {
        "sensors": len(dataset.histories),
        "rows_to_fit": len(dataset.fit()),
        "rows_to_calibrate": len(dataset.calibrate()),
        "split": "per sensor in time: 50 % fit, 25 % calibrate, 25 % held back",
        "judged_on": "held-back readings with injected faults, and without",
        "precision": f"as if one fault came in {injection.READINGS_A_FAULT} readings",
        "registered": "fitted again with all rows: older 2/3 fit, newer 1/3 calibrate",
        "cases": len(cases.sorts),
        "fingerprint": dataset.fingerprint(),
    }


def _line(trained: Trained) -> str:
    metrics = trained.metrics
    return (
        f"{trained.model} v{trained.version} {trained.detector}: "
        f"F1 {metrics['injected_f1']:.3f}, average precision "
        f"{metrics['injected_average_precision']:.3f}, false alarms per 1000 readings "
        f"{metrics['false_alarms_per_1000_readings']:.1f} {trained.role}".rstrip()
    )

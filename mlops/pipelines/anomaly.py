"""anomaly: one champion per kind of sensor, learnt from the readings in the database.

The candidates are fitted on the oldest half of each sensor's readings, calibrated on the next
quarter, and judged on the newest quarter, where the generator's faults are put into copies of it.
The one with the highest F1 at the alarm level becomes champion, its false alarms counted over all
kinds together; before it is registered, it is fitted and calibrated again with all rows, in the
same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlops import datasets, serving
from mlops.approval import Refused
from mlops.datasets import Dataset
from mlops.detectors.fitted import CANDIDATES, candidate
from mlops.detectors.statistical import Statistical
from mlops.pipelines import NoData, Order, Story, Trained, injection
from mlops.pipelines.recording import About, Result, record_all
from mlops.serving import model_for_kind

MIN_FIT_ROWS, MIN_CALIBRATION_ROWS = 200, 60
FINAL_FIT = 2 / 3
RANKED_BY = ("ranking_f1", "injected_average_precision")
COMPARED_BY = ("injected_f1", "injected_average_precision")


def run(order: Order) -> list[Trained]:
    """Train every kind that has enough readings. NoData when none has."""
    judged = [kind for dataset in _datasets(order) if (kind := _judge_kind(dataset, order))]
    if not judged and order.generate:
        order.say("anomaly: no kind has enough readings, so generated ones are learnt from")
        made = datasets.generated(until=order.now, seed=order.seed, fast=order.fast)
        judged = [kind for dataset in made if (kind := _judge_kind(dataset, order))]
    if not judged:
        raise NoData("no kind has enough readings; `manage.py seed` makes some")
    trained: list[Trained] = []
    for kind in _ranked_on_all(judged):
        trained += _record_kind(kind, order)
    return trained


@dataclass(frozen=True, slots=True)
class Judged:
    """A kind's candidates, what was measured of each, and on how many healthy rows."""

    dataset: Dataset
    results: tuple[Result, ...]
    healthy_rows: int


def _datasets(order: Order) -> Iterator[Dataset]:
    for kind in order.kinds or datasets.kinds():
        dataset = datasets.of_kind(kind, until=order.now)
        fit, calibrate = len(dataset.fit()), len(dataset.calibrate())
        if fit < MIN_FIT_ROWS or calibrate < MIN_CALIBRATION_ROWS:
            order.say(
                f"{kind}: {fit} rows to fit and {calibrate} to calibrate on; needs "
                f"{MIN_FIT_ROWS} and {MIN_CALIBRATION_ROWS}, skipped"
            )
        else:
            yield dataset


def _judge_kind(dataset: Dataset, order: Order) -> Judged | None:
    """All candidates of one kind, fitted and measured; None with too little to judge by."""
    rng = np.random.default_rng([order.seed, *dataset.kind.encode()])
    cases = injection.draw(dataset, repeats=1 if order.fast else 2, rng=rng)
    if not cases.sorts:
        order.say(f"{dataset.kind}: too few held-back readings to judge by, skipped")
        return None
    others = {"statistical": injection.quality(Statistical(), cases, rng=rng)}
    measured = _named(others) | _champion_on(dataset, cases, rng)
    results = tuple(_result(name, dataset, cases, measured, order) for name in CANDIDATES)
    return Judged(dataset, results, sum(map(len, cases.healthy)))


def _named(measured: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {f"{who}_{key}": of[key] for who, of in measured.items() for key in COMPARED_BY}


def _champion_on(
    dataset: Dataset, cases: injection.Cases, rng: np.random.Generator
) -> dict[str, float]:
    """The reigning champion on the same cases, some of which it may have been fitted on; nothing
    where there is none that can be loaded."""
    name = model_for_kind(dataset.kind)
    try:
        version = serving.champion_version(name)
        reigning = serving.load_detector(name, version)
    except (serving.Unavailable, Refused):
        return {}
    found = _named({"champion": injection.quality(reigning, cases, rng=rng)})
    return found | {"champion_version": float(version)}


def _ranked_on_all(judged: Sequence[Judged]) -> list[Judged]:
    """The same, with the F1 that candidates are ranked by.

    One kind's healthy rows are too few to tell a false alarm in a thousand readings from none, so
    the false alarms of a candidate are counted over all kinds; what it finds stays the kind's own.
    """
    rows = sum(kind.healthy_rows for kind in judged)
    alarms = {
        name: sum(
            kind.healthy_rows * each.metrics["false_alarms_per_1000_readings"] / 1000
            for kind in judged
            for each in kind.results
            if each.detector.name == name
        )
        for name in CANDIDATES
    }
    return [
        replace(
            kind,
            results=tuple(
                _with_pooled(each, alarms[each.detector.name] / rows) for each in kind.results
            ),
        )
        for kind in judged
    ]


def _with_pooled(result: Result, false_alarms: float) -> Result:
    pooled = {
        "pooled_false_alarms_per_1000_readings": 1000 * false_alarms,
        "ranking_f1": injection.f1(result.metrics["injected_recall"], false_alarms),
    }
    return replace(result, metrics=result.metrics | pooled)


def _record_kind(judged: Judged, order: Order) -> list[Trained]:
    """Register a kind's candidates; the best is champion."""
    about = About(
        experiment="anomaly",
        model=model_for_kind(judged.dataset.kind),
        task="anomaly",
        sensor_kind=judged.dataset.kind,
        dataset=judged.dataset.origin,
        trained_on=judged.dataset.fingerprint(),
        story=_story(judged.dataset),
        headline={
            "ranking_f1": "F1",
            "injected_recall": "recall of injected faults",
            "false_alarms_per_1000_readings": "false alarms per 1000",
            "statistical_injected_f1": "F1 of the statistical rung",
        },
    )
    trained = record_all(list(judged.results), about, order, by=RANKED_BY)
    for each in trained:
        order.say(_line(each))
    return trained


def _result(
    name: str,
    dataset: Dataset,
    cases: injection.Cases,
    others: dict[str, float],
    order: Order,
) -> Result:
    rng = np.random.default_rng([order.seed, 1])
    judged = candidate(name, seed=order.seed).fit(dataset.fit()).calibrate(dataset.calibrate())
    metrics = injection.quality(judged, cases, rng=rng)
    metrics |= others
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
        f"F1 {metrics['ranking_f1']:.3f}, average precision "
        f"{metrics['injected_average_precision']:.3f}, false alarms per 1000 readings "
        f"{metrics['false_alarms_per_1000_readings']:.1f} {trained.role}".rstrip()
    )


def _story(dataset: Dataset) -> Story:
    kind, count = dataset.kind, len(dataset.histories)
    return Story(
        purpose=f"Scores readings of {kind} sensors that have enough history of their own.",
        data=(
            f"{count} generated {kind} sensors: `sensors/generator`."
            if dataset.origin == datasets.SYNTHETIC
            else f"The stored readings of {count} {kind} sensors."
        ),
        split="Per sensor in time: 50 % to fit, 25 % to calibrate, the newest 25 % to judge by.",
        measured=(
            "Held-back readings with faults put into copies of them, and without. Precision as if "
            f"one fault came in {injection.READINGS_A_FAULT} readings; false alarms of all kinds "
            "are counted together for the F1. Interval of the recall: 90 % bootstrap over faults."
        ),
        limits=("The faults are the generator's: real ones may look otherwise.",),
    )

"""synthetic-validation: classifiers that were shown generated faults, for every kind at once.

Healthy readings and faults come from the generator's own ranges (vibration 28-82 mm/s, pressure
29-55 kPa, temperature 11-89 °C, humidity 32-88 %, voltage 21-58 V), a new sensor for every stream.
Streams, not rows, are split: 60 % to fit, 20 % for the alarm threshold, 20 % to judge. What these
models can do is known for generated data only, and their tag says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from mlops import features
from mlops.detectors.base import ALARM_LEVEL
from mlops.detectors.classified import Classified
from mlops.detectors.fitted import Fitted, candidate
from mlops.metrics import Counts, average_precision, bootstrap_interval, by_overlap, episodes
from mlops.pipelines import Order, Story, Trained
from mlops.pipelines.recording import About, Result, record_all
from sensors.generator import FAULTS, RANGES, Stream, labelled_stream
from sensors.series import FloatArray, to_datetime64

MODEL = "synthetic-validation"
STREAMS_PER_KIND, FAST_STREAMS_PER_KIND = 20, 5
HEALTHY_EVERY = 4  # one healthy row in so many is fitted on; neighbours say the same
EPISODE_GAP = 12  # readings
LEVELS = np.linspace(0.02, 0.98, 49)
RANKED_BY = ("held_back_f1", "held_back_average_precision")
# The generator's seeds below this are kept for evaluating the whole system.
FIRST_SEED = 1000


STORY = Story(
    purpose="Says of readings of any kind whether they look like the faults of the generator.",
    data="Generated streams of every kind with two faults each: `sensors/generator`.",
    split="By stream: three of five to fit, one for the alarm threshold, one to judge by.",
    measured=(
        "Episodes by overlap at 0.5, average precision over readings, on the streams held back. "
        "Interval of the F1: 90 % bootstrap over streams."
    ),
    limits=("What it can do is known for generated data only.",),
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One stream's settled rows: features (n, d), and the rows of each of its faults."""

    kind: str
    X: FloatArray
    faults: tuple[tuple[str, int, int], ...]

    @property
    def is_fault(self) -> NDArray[np.bool_]:
        flags = np.zeros(len(self.X), dtype=bool)
        for _, first, last in self.faults:
            flags[first : last + 1] = True
        return flags


@dataclass(frozen=True, slots=True)
class Split:
    fit: list[Labelled]
    threshold: list[Labelled]
    judge: list[Labelled]


def run(order: Order) -> list[Trained]:
    """IsolationForest on healthy rows, RandomForest and LightGBM on labelled ones."""
    streams = generate(order)
    split = split_by_stream(streams)
    results = [_forest(split, order), _random_forest(split, order), _boosted(split, order)]
    about = About(
        experiment="synthetic-validation",
        model=MODEL,
        task="validation",
        sensor_kind="",
        dataset="synthetic",
        trained_on=sha256(b"".join(each.X.tobytes() for each in streams)).hexdigest(),
        story=STORY,
        headline={
            "held_back_f1": "F1",
            "held_back_precision": "precision",
            "held_back_recall": "recall",
            "held_back_average_precision": "average precision",
        },
    )
    trained = record_all(results, about, order, by=RANKED_BY)
    for each in trained:
        f1, precision = each.metrics["held_back_f1"], each.metrics["held_back_precision"]
        order.say(
            f"{each.model} v{each.version} {each.detector}: F1 {f1:.3f}, precision "
            f"{precision:.3f} on held-back generated streams {each.role}".rstrip()
        )
    return trained


def generate(order: Order) -> list[Labelled]:
    """Streams of every kind, two faults of different sorts in each; a function of the seed."""
    count = FAST_STREAMS_PER_KIND if order.fast else STREAMS_PER_KIND
    sorts = list(FAULTS)
    found = []
    for place, kind in enumerate(RANGES):
        for number in range(count):
            rng = np.random.default_rng([FIRST_SEED + order.seed, place, number])
            chosen = (sorts[number % len(sorts)], sorts[(number * 3 + 1) % len(sorts)])
            stream = labelled_stream(kind, chosen, until=to_datetime64(order.now), rng=rng)
            found.append(_labelled(stream))
    return found


def split_by_stream(streams: list[Labelled]) -> Split:
    """Of every five streams three to fit, one for the threshold, one to judge; kinds alike."""
    parts: list[list[Labelled]] = [[], [], []]
    seen: dict[str, int] = {}
    for stream in streams:
        place = seen.get(stream.kind, 0)
        seen[stream.kind] = place + 1
        parts[max(place % 5 - 2, 0)].append(stream)
    return Split(*parts)


def _labelled(stream: Stream) -> Labelled:
    times, values = stream.in_event_order()
    first = stream.history // 2
    X = features.compute(times, values, first=first)
    times = times[first:]
    rows = [
        (
            fault.sort,
            int(np.searchsorted(times, fault.start)),
            int(np.searchsorted(times, fault.end, side="right")) - 1,
        )
        for fault in stream.faults
    ]
    return Labelled(stream.kind, X, tuple(rows))


def _stacked(streams: list[Labelled]) -> tuple[FloatArray, NDArray[np.bool_]]:
    return (
        np.concatenate([each.X for each in streams]),
        np.concatenate([each.is_fault for each in streams]),
    )


def _thinned(streams: list[Labelled]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """All rows with a fault, and some of those without."""
    X, is_fault = _stacked(streams)
    kept = is_fault | (np.arange(len(X)) % HEALTHY_EVERY == 0)
    return X[kept], is_fault[kept]


def _forest(split: Split, order: Order) -> Result:
    X, is_fault = _stacked(split.fit)
    calibration, calibration_fault = _stacked(split.threshold)
    found = candidate("isolation_forest", seed=order.seed).fit(X[~is_fault])
    return _result(found.calibrate(calibration[~calibration_fault]), split, order)


def _random_forest(split: Split, order: Order) -> Result:
    X, is_fault = _thinned(split.fit)
    model = RandomForestClassifier(
        n_estimators=15 if order.fast else 40,
        min_samples_leaf=5,
        class_weight="balanced_subsample",
        random_state=order.seed,
        n_jobs=2,
    ).fit(X, is_fault)
    model.set_params(n_jobs=1)
    return _result(_classified("random_forest", model, split), split, order)


def _boosted(split: Split, order: Order) -> Result:
    X, is_fault = _thinned(split.fit)
    params = {
        "objective": "binary",
        "num_leaves": 15,
        "min_data_in_leaf": 40,
        "learning_rate": 0.08,
        "seed": order.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(X, label=is_fault, feature_name=list(features.FEATURES))
    model = lightgbm.train(params, data, num_boost_round=40 if order.fast else 100)
    return _result(_classified("lightgbm", model, split), split, order)


def _classified(name: str, model: Any, split: Split) -> Classified:
    """With the threshold of the highest F1, episode by episode, on streams kept for that."""
    found = Classified(name, model)
    probabilities = [found.probability(each.X) for each in split.threshold]

    def f1(level: float) -> float:
        pairs = zip(split.threshold, probabilities, strict=True)
        return _total([_counts(stream, p, level) for stream, p in pairs]).f1

    # The middle of the best levels stands as far from the worse ones as it can.
    f1s = np.array([f1(level) for level in LEVELS])
    best = np.flatnonzero(f1s == f1s.max())
    found.threshold = float(LEVELS[best[len(best) // 2]])
    return found


def _result(detector: Fitted | Classified, split: Split, order: Order) -> Result:
    scores = [detector.score(each.X) for each in split.judge]
    counts = [_counts(stream, found) for stream, found in zip(split.judge, scores, strict=True)]
    rng = np.random.default_rng([order.seed, 2])
    low, high = bootstrap_interval(
        lambda rows: _total([counts[row] for row in rows]).f1, len(counts), rng=rng
    )
    _, is_fault = _stacked(split.judge)
    total = _total(counts)
    metrics = {
        "held_back_f1": total.f1,
        "held_back_f1_low": low,
        "held_back_f1_high": high,
        "held_back_precision": total.precision,
        "held_back_recall": total.recall,
        "held_back_average_precision": average_precision(np.concatenate(scores), is_fault),
    }
    for kind in RANGES:
        of_kind = [c for s, c in zip(split.judge, counts, strict=True) if s.kind == kind]
        metrics[f"held_back_f1_{kind}"] = _total(of_kind).f1
    params = {
        "streams_to_fit": len(split.fit),
        "streams_for_threshold": len(split.threshold),
        "streams_to_judge": len(split.judge),
        "split": "by stream; no sensor is in two parts",
        "metrics": "episodes by overlap at 0.5; average precision over readings",
    }
    return Result(detector, metrics, params)


def _counts(stream: Labelled, scores: FloatArray, level: float = ALARM_LEVEL) -> Counts:
    alarms = episodes(scores >= level, EPISODE_GAP)
    return by_overlap(alarms, [(first, last) for _, first, last in stream.faults])


def _total(counts: list[Counts]) -> Counts:
    return Counts(
        sum(each.found for each in counts),
        sum(each.missed for each in counts),
        sum(each.false_alarms for each in counts),
    )

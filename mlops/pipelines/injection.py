"""How well a detector finds faults put into readings it was not fitted on, and what it alarms on
without any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mlops import features
from mlops.datasets import Dataset, History
from mlops.detectors.base import ALARM_LEVEL, Detector
from mlops.metrics import average_precision, bootstrap_interval, episodes
from sensors.generator import FAULTS, Scales, inject
from sensors.series import FloatArray, TimeArray

_ROOM = 24  # rows after a fault that its stretch may need: a clock may run that far ahead
_TO_SD = 1.4826
_EPISODE_GAP = 12  # readings
# Precision is a matter of how rare faults are: taken as if one came in so many readings.
READINGS_A_FAULT = 250


@dataclass(frozen=True, slots=True)
class Cases:
    """Features of held-back readings: stretches with a fault in each but those of empty `sorts`,
    which are the same stretches as they were; and, sensor by sensor, all readings as they were."""

    stretches: tuple[FloatArray, ...]
    sorts: tuple[str, ...]
    healthy: tuple[FloatArray, ...]

    @property
    def is_fault(self) -> NDArray[np.bool_]:
        return np.array([bool(sort) for sort in self.sorts], dtype=bool)

    def peaks(self, detector: Detector) -> FloatArray:
        """The highest score in each stretch: one call for all of them."""
        scores = detector.score(np.concatenate(self.stretches))
        ends = np.cumsum([len(stretch) for stretch in self.stretches])
        return np.array([part.max() for part in np.split(scores, ends[:-1])])

    def false_alarms_a_reading(self, detector: Detector) -> float:
        """Episodes in readings without a fault, per reading."""
        scores = [detector.score(X) for X in self.healthy]
        alarms = sum(len(episodes(each >= ALARM_LEVEL, _EPISODE_GAP)) for each in scores)
        return alarms / max(sum(map(len, scores)), 1)


def draw(dataset: Dataset, *, repeats: int, rng: np.random.Generator) -> Cases:
    """Each sort of fault `repeats` times into each sensor's held-back rows, and, for each of them,
    the same stretch as it was."""
    stretches: list[FloatArray] = []
    sorts: list[str] = []
    for history in dataset.histories:
        for sort in list(FAULTS) * repeats:
            for name, stretch in _pair(history, sort, rng):
                stretches.append(stretch)
                sorts.append(name)
    healthy = tuple(each.rows(each.cuts[2]) for each in dataset.histories)
    return Cases(tuple(stretches), tuple(sorts), healthy)


def quality(detector: Detector, cases: Cases, *, rng: np.random.Generator) -> dict[str, float]:
    """At the alarm level and over all levels; recall with a 90 % bootstrap interval over faults."""
    peaks, is_fault = cases.peaks(detector), cases.is_fault
    found = peaks[is_fault] >= ALARM_LEVEL
    recall = float(found.mean())
    false_alarms = cases.false_alarms_a_reading(detector)
    precision = _precision(recall, false_alarms)
    low, high = bootstrap_interval(lambda rows: float(found[rows].mean()), len(found), rng=rng)
    return {
        "injected_recall": recall,
        "injected_recall_low": low,
        "injected_recall_high": high,
        "injected_precision": precision,
        "injected_f1": f1(recall, false_alarms),
        "injected_average_precision": average_precision(peaks, is_fault),
        "false_alarms_per_1000_readings": 1000 * false_alarms,
    } | recall_by_sort(peaks, cases.sorts)


def f1(recall: float, false_alarms: float) -> float:
    """Of a share of faults found and false alarms per reading, one fault in READINGS_A_FAULT."""
    precision = _precision(recall, false_alarms)
    return 2 * precision * recall / (precision + recall) if recall else 0.0


def _precision(recall: float, false_alarms: float) -> float:
    return recall / (recall + false_alarms * READINGS_A_FAULT) if recall else 0.0


def recall_by_sort(peaks: FloatArray, sorts: Sequence[str]) -> dict[str, float]:
    named = np.array(sorts)
    return {
        f"recall_{sort}": float((peaks[named == sort] >= ALARM_LEVEL).mean())
        for sort in FAULTS
        if (named == sort).any()
    }


def _pair(
    history: History, sort: str, rng: np.random.Generator
) -> Iterator[tuple[str, FloatArray]]:
    """A held-back stretch with a fault, and the same one without; nothing if there is no room."""
    times, values = history.series.times, history.series.values
    size, readings = FAULTS[sort].draw(rng)
    held = history.cuts[2]
    firsts = _clean_starts(history.usable[held:], readings + _ROOM)
    if not len(firsts):
        return
    first = held + int(rng.choice(firsts))
    start = max(0, first - features.CONTEXT_ROWS)
    stop = first + readings + _ROOM
    faulty = inject(
        times[start:stop],
        values[start:stop],
        sort=sort,
        first=first - start,
        readings=readings,
        size=size,
        scales=scales_of(times[:held], values[:held]),
        rng=rng,
    )
    order = np.argsort(faulty.times, kind="stable")
    moved, changed = faulty.times[order], faulty.values[order]
    within = (moved >= faulty.start) & (moved <= faulty.end)
    yield sort, features.compute(moved, changed, first=first - start)[within[first - start :]]
    yield "", history.X[first : first + readings]


def _clean_starts(usable: NDArray[np.bool_], rows: int) -> NDArray[np.int_]:
    """Where `rows` usable rows in a row begin, the last row but one at the latest."""
    if len(usable) <= rows:
        return np.zeros(0, dtype=int)
    return np.flatnonzero(sliding_window_view(usable[:-1], rows).all(axis=1))


def scales_of(times: TimeArray, values: FloatArray) -> Scales:
    """A sensor's own noise, spread and interval, as the sizes of faults count in them."""
    noise = _TO_SD * float(np.median(np.abs(np.diff(values)))) / np.sqrt(2)
    spread = float(np.std(values))
    interval = np.median(np.diff(times).astype("timedelta64[us]").astype(np.int64))
    floor = 1e-3 * float(np.abs(values).max()) + 1e-9
    return Scales(
        max(noise, 0.05 * spread, floor), max(spread, floor), np.timedelta64(int(interval), "us")
    )

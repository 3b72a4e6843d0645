"""How well a detector finds faults put into readings it was not fitted on, and what it alarms on
without any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops import features
from mlops.datasets import Dataset, History
from mlops.detectors.base import ALARM_LEVEL, Detector
from mlops.metrics import at_level, average_precision, bootstrap_interval
from sensors.generator import FAULTS, Scales, inject
from sensors.series import FloatArray, TimeArray

_ROOM = 24  # rows after a fault that its stretch may need: a clock may run that far ahead
_TO_SD = 1.4826


@dataclass(frozen=True, slots=True)
class Cases:
    """Stretches of held-back readings, as features; `sorts`: the fault in each, or empty."""

    stretches: tuple[FloatArray, ...]
    sorts: tuple[str, ...]

    @property
    def is_fault(self) -> NDArray[np.bool_]:
        return np.array([bool(sort) for sort in self.sorts], dtype=bool)

    def peaks(self, detector: Detector) -> FloatArray:
        """The highest score in each stretch: one call for all of them."""
        scores = detector.score(np.concatenate(self.stretches))
        ends = np.cumsum([len(stretch) for stretch in self.stretches])
        return np.array([part.max() for part in np.split(scores, ends[:-1])])


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
    return Cases(tuple(stretches), tuple(sorts))


def quality(detector: Detector, cases: Cases, *, rng: np.random.Generator) -> dict[str, float]:
    """At the alarm level and over all levels, with a 90 % bootstrap interval over the cases."""
    peaks, is_fault = cases.peaks(detector), cases.is_fault
    counts = at_level(peaks, is_fault, ALARM_LEVEL)

    def f1_of(rows: NDArray[np.int64]) -> float:
        return at_level(peaks[rows], is_fault[rows], ALARM_LEVEL).f1

    low, high = bootstrap_interval(f1_of, len(peaks), rng=rng)
    found = {
        "injected_precision": counts.precision,
        "injected_recall": counts.recall,
        "injected_f1": counts.f1,
        "injected_f1_low": low,
        "injected_f1_high": high,
        "injected_average_precision": average_precision(peaks, is_fault),
        "healthy_stretches_alarmed": counts.false_alarms / max(int((~is_fault).sum()), 1),
    }
    return found | recall_by_sort(peaks, cases.sorts)


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
    last = len(values) - readings - _ROOM
    if last <= held or not history.usable[held:].all():
        return
    first = int(rng.integers(held, last))
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


def scales_of(times: TimeArray, values: FloatArray) -> Scales:
    """A sensor's own noise, spread and interval, as the sizes of faults count in them."""
    noise = _TO_SD * float(np.median(np.abs(np.diff(values)))) / np.sqrt(2)
    spread = float(np.std(values))
    interval = np.median(np.diff(times).astype("timedelta64[us]").astype(np.int64))
    floor = 1e-3 * float(np.abs(values).max()) + 1e-9
    return Scales(
        max(noise, 0.05 * spread, floor), max(spread, floor), np.timedelta64(int(interval), "us")
    )

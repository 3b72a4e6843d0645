"""Labelled public data as it lies in a folder, and what detection says of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from anomalies import labelled, tables
from anomalies.backtest import scores_of
from anomalies.evaluation import Judged
from anomalies.labelled import Labelled, Source
from anomalies.labels import Interval, rows_of
from mlops.detectors.base import ALARM_LEVEL
from mlops.detectors.streaming.alarm import Alarm
from mlops.detectors.streaming.core import Core
from mlops.metrics import Rows
from mlops.windows_score import Stream, probation
from sensors.generator import RANGES, normal
from sensors.series import FloatArray, TimeArray

ASSET_WARMUP = 400  # rows at the start of each experiment that are known to be normal


@dataclass(frozen=True)
class Windows:
    """A folder of `time,value` files and windows.json: file → pairs of first and last time."""

    folder: Path

    @cached_property
    def streams(self) -> list[Labelled]:
        return labelled.read(Source(self.folder), str)

    @property
    def rows(self) -> int:
        return sum(len(each.table) for each in self.streams)

    @property
    def count(self) -> int:
        return sum(len(each.faults) for each in self.streams)

    def judged(self, *, tell_warmup: bool = True) -> list[Judged]:
        """By the shipped detectors. tell_warmup: they know how many rows are on probation."""
        found = []
        for name, table, faults in ((s.name, s.table, s.faults) for s in self.streams):
            first = probation(len(table))
            scores = scores_of(table, warmup=first if tell_warmup else None)
            found.append(Judged(name, table.times, scores, faults, first))
        return found

    def published(self) -> Iterator[tuple[str, list[Stream]]]:
        """Scores that published detectors gave to the same files, if they lie there."""
        path = self.folder / "published_scores.npz"
        if not path.exists():
            return
        stored = np.load(path)
        ends = np.cumsum(stored["row_counts"])[:-1]
        for detector in sorted(set(stored.files) - {"row_counts"}):
            parts = np.split(stored[detector].astype(float), ends)
            yield (
                detector,
                [
                    Stream(part, _windows(each.table.times, each.faults))
                    for each, part in zip(self.streams, parts, strict=True)
                ],
            )


def as_streams(judged: Sequence[Judged]) -> list[Stream]:
    """What is scored by windows."""
    return [Stream(each.scores, _windows(each.times, each.faults)) for each in judged]


def _windows(times: TimeArray, faults: Sequence[Interval]) -> tuple[Rows, ...]:
    return tuple(rows_of(times, fault) for fault in faults)


@dataclass(frozen=True, slots=True)
class Pointwise:
    """Rows flagged against rows that are faults, over many experiments."""

    hit: int
    false: int
    missed: int
    normal: int

    @property
    def f1(self) -> float:
        return 2 * self.hit / max(2 * self.hit + self.false + self.missed, 1)

    @property
    def false_share(self) -> float:
        return self.false / max(self.normal, 1)

    @property
    def missed_share(self) -> float:
        return self.missed / max(self.hit + self.missed, 1)


def experiments(folder: Path) -> list[Judged]:
    """Each file below the folder that has a fault."""
    return [
        Judged(
            each.name,
            each.table.times,
            scores_of(each.table, warmup=ASSET_WARMUP),
            each.faults,
            ASSET_WARMUP,
        )
        for each in labelled.read(Source(folder), str)
        if each.faults
    ]


def by_row(judged: Sequence[Judged]) -> tuple[FloatArray, np.ndarray]:
    """Scores and labels of all rows after the warm-up."""
    labels = []
    for each in judged:
        label = np.zeros(len(each.scores), dtype=bool)
        for first, last in _windows(each.times, each.faults):
            label[first : last + 1] = True
        labels.append(label[each.first :])
    return np.concatenate([each.scores[each.first :] for each in judged]), np.concatenate(labels)


def pointwise(scores: FloatArray, label: np.ndarray, level: float) -> Pointwise:
    flagged = scores >= level
    return Pointwise(
        hit=int((flagged & label).sum()),
        false=int((flagged & ~label).sum()),
        missed=int((~flagged & label).sum()),
        normal=int((~label).sum()),
    )


def alarms_each(path: Path, warmup: int) -> tuple[list[int], int]:
    """Alarms of each column of a table, as a sensor of its own; and how many rows it has."""
    table = tables.read(path)
    return [_alarms(table.times, column, warmup) for column in table.values.values()], len(table)


def alarms_together(path: Path, warmup: int) -> tuple[int, int]:
    """Rows of a table, as one machine, that are alarms; and how many rows it has."""
    table = tables.read(path)
    return int((scores_of(table, warmup=warmup) >= ALARM_LEVEL).sum()), len(table)


def generated_runs(warmup: int, *, rows: int = 20_000, seed: int = 101) -> tuple[list[int], int]:
    """The same of one healthy sensor of each kind, a reading every ten minutes."""
    times = np.datetime64("2026-01-05", "us") + np.arange(rows) * np.timedelta64(600, "s")
    values = (normal(kind, times, np.random.default_rng(seed)) for kind in RANGES)
    return [_alarms(times, each, warmup) for each in values], rows


def _alarms(times: TimeArray, values: FloatArray, warmup: int) -> int:
    core = Core(Alarm(warmup))
    return int(core.fold(core.start(), times, values)[1].alarms.sum())

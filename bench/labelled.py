"""Labelled public data as it lies in a folder, and what detection says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from anomalies import tables
from anomalies.backtest import scores_of
from anomalies.tables import Table
from mlops.detectors.base import ALARM_LEVEL
from mlops.detectors.streaming.alarm import Alarm
from mlops.detectors.streaming.core import Core
from mlops.metrics import Rows
from mlops.windows_score import Stream, probation
from sensors.generator import RANGES, normal
from sensors.iso8601 import parse_column
from sensors.series import FloatArray, TimeArray

ASSET_WARMUP = 400  # rows at the start of each experiment that are known to be normal


@dataclass(frozen=True)
class Windows:
    """A folder of `time,value` files and windows.json: file → pairs of first and last time."""

    folder: Path

    @cached_property
    def windows(self) -> dict[str, list[list[str]]]:
        return dict(sorted(json.loads((self.folder / "windows.json").read_text()).items()))

    @cached_property
    def tables(self) -> dict[str, Table]:
        return {name: tables.read(_path(self.folder / name)) for name in self.windows}

    @property
    def count(self) -> int:
        return sum(map(len, self.windows.values()))

    def rows_of(self, name: str) -> tuple[Rows, ...]:
        """The windows of a file as row numbers; of a repeated time the first row counts."""
        return tuple(
            (int(first), int(last))
            for first, last in np.searchsorted(
                self.tables[name].times, [_times(pair) for pair in self.windows[name]]
            )
        )

    def judged(self, *, tell_warmup: bool = True) -> list[Stream]:
        """By the shipped detectors. tell_warmup: they know how many rows are on probation."""
        return [
            Stream(
                scores_of(table, warmup=probation(len(table)) if tell_warmup else None),
                self.rows_of(name),
            )
            for name, table in self.tables.items()
        ]

    def published(self) -> Iterator[tuple[str, list[Stream]]]:
        """Scores that published detectors gave to the same files, if they lie there."""
        path = self.folder / "published_scores.npz"
        if not path.exists():
            return
        stored = np.load(path)
        ends = np.cumsum(stored["row_counts"])[:-1]
        for detector in sorted(set(stored.files) - {"row_counts"}):
            parts = np.split(stored[detector].astype(float), ends)
            named = zip(self.windows, parts, strict=True)
            yield detector, [Stream(part, self.rows_of(name)) for name, part in named]


def _path(path: Path) -> Path:
    zipped = path.with_name(path.name + ".gz")
    return zipped if zipped.exists() else path


def _times(texts: list[str]) -> np.ndarray:
    times = parse_column([f"{text.replace(' ', 'T')}Z" for text in texts])
    assert times is not None, texts
    return times.astype("datetime64[us]")


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


def experiments(folder: Path) -> Iterator[tuple[FloatArray, np.ndarray]]:
    """Scores and labels after the warm-up, of each file below the folder that has a fault."""
    for path in sorted(folder.glob("*/*.csv*")):
        table = tables.read(path)
        if "anomaly" in table.header:
            at = table.header.index("anomaly")
            label = np.array([float(row[at]) > 0 for row in table.cells])
            if label.any():
                scores = scores_of(table, warmup=ASSET_WARMUP)
                yield scores[ASSET_WARMUP:], label[ASSET_WARMUP:]


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

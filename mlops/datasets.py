"""Stored readings as feature matrices: by kind of sensor, split in time and never shuffled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mlops import features
from mlops.detectors.base import ALARM_LEVEL
from mlops.detectors.statistical import Statistical
from mlops.signals import faults_known
from sensors.generator import RANGES, grid, normal
from sensors.models import Reading, Sensor
from sensors.series import FloatArray, Series, to_datetime64

MAX_ROWS = 20_000  # of a sensor; older readings say less about how it runs now
SUSPECT_ROWS = 12  # to each side of an alarm of the statistical rung
SETTLED_ROWS = 144  # rows before the baseline has seen enough to learn from
FIT, CALIBRATE = 0.5, 0.25  # of a sensor's settled rows, oldest first; the rest is held back

SYNTHETIC = "synthetic"

Ranges = Sequence[tuple[datetime, datetime]]
Known = Mapping[int, Ranges]


@dataclass(frozen=True, slots=True)
class History:
    """One sensor's readings, their features (n, d), and which rows may be learnt from (n,)."""

    sensor_id: int
    external_id: str
    series: Series
    X: FloatArray
    usable: NDArray[np.bool_]

    @property
    def cuts(self) -> tuple[int, int, int]:
        """First row to fit on, to calibrate on, and to hold back."""
        settled = max(len(self.series) - SETTLED_ROWS, 0)
        first = min(SETTLED_ROWS, len(self.series))
        return first, first + int(settled * FIT), first + int(settled * (FIT + CALIBRATE))

    def rows(self, first: int, stop: int | None = None) -> FloatArray:
        """Features of the usable rows among first..stop."""
        return self.X[first:stop][self.usable[first:stop]]


@dataclass(frozen=True, slots=True)
class Dataset:
    """All sensors of a kind. origin: `readings`, or SYNTHETIC."""

    kind: str
    histories: tuple[History, ...]
    origin: str = "readings"

    def fit(self) -> FloatArray:
        return self._stacked([each.rows(each.cuts[0], each.cuts[1]) for each in self.histories])

    def calibrate(self) -> FloatArray:
        return self._stacked([each.rows(each.cuts[1], each.cuts[2]) for each in self.histories])

    def older(self, share: float) -> FloatArray:
        """The older share of each sensor's settled rows."""
        return self._stacked(
            [each.rows(SETTLED_ROWS, _cut(each, share)) for each in self.histories]
        )

    def newer(self, share: float) -> FloatArray:
        """What `older` leaves."""
        return self._stacked([each.rows(_cut(each, share)) for each in self.histories])

    def fingerprint(self) -> str:
        """SHA-256 over which readings these are; what tells two data sets apart."""
        total = sha256()
        for each in self.histories:
            total.update(each.external_id.encode())
            total.update(each.series.times.tobytes() + each.series.values.tobytes())
            total.update(each.usable.tobytes())
        return total.hexdigest()

    @staticmethod
    def _stacked(parts: Sequence[FloatArray]) -> FloatArray:
        return np.concatenate([np.zeros((0, len(features.FEATURES))), *parts])


def kinds() -> list[str]:
    """Kinds that any scored sensor has, by name."""
    found = Sensor.objects.scored().order_by("kind").values_list("kind", flat=True)
    return sorted(set(found))


def of_kind(kind: str, *, until: datetime) -> Dataset:
    """The readings before `until` of all scored sensors of a kind.

    Known faults are not learnt from; they still are part of the past of what follows.
    """
    sensors = list(Sensor.objects.scored().filter(kind=kind).order_by("pk"))
    faults = known_faults([sensor.pk for sensor in sensors])
    found = (history_of(sensor, until, faults.get(sensor.pk, ())) for sensor in sensors)
    return Dataset(kind, tuple(each for each in found if len(each.series) > SETTLED_ROWS))


def known_faults(sensor_ids: Collection[int]) -> dict[int, list[tuple[datetime, datetime]]]:
    """By sensor id, the spans of time (both ends included) that somebody knows to be faults."""
    spans: dict[int, list[tuple[datetime, datetime]]] = {}
    for _, known in faults_known.send(sender=Sensor, sensor_ids=sensor_ids):
        for sensor_id, found in cast("Known", known).items():
            spans.setdefault(sensor_id, []).extend(found)
    return spans


def generated(*, until: datetime, seed: int, fast: bool) -> list[Dataset]:
    """Healthy histories of made-up sensors of each kind, for an installation without readings."""
    count, rows = (2, 1000) if fast else (4, 3000)
    found = []
    for place, kind in enumerate(RANGES):
        histories = []
        for number in range(count):
            rng = np.random.default_rng([seed, place, number])
            times = grid(to_datetime64(until), rows, np.timedelta64(10, "m"), rng)
            values = normal(kind, times, rng)
            series = Series(times, values, np.ones(rows))
            histories.append(_history(0, f"generated-{kind}-{number}", series, ()))
        found.append(Dataset(kind, tuple(histories), SYNTHETIC))
    return found


def history_of(sensor: Sensor, until: datetime, leave_out: Ranges = ()) -> History:
    series = Reading.objects.before(sensor.pk, until, MAX_ROWS)
    return _history(sensor.pk, sensor.external_id, series, leave_out)


def _history(sensor_id: int, external_id: str, series: Series, leave_out: Ranges) -> History:
    usable = np.ones(len(series), dtype=bool)
    for start, end in leave_out:
        inside = (series.times >= to_datetime64(start)) & (series.times <= to_datetime64(end))
        usable &= ~inside
    X = features.compute(series.times, series.values)
    usable &= ~_near(Statistical().score(X) >= ALARM_LEVEL)
    return History(sensor_id, external_id, series, X, usable)


def _near(alarmed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Alarmed rows and those within SUSPECT_ROWS of one.

    Nobody has looked at most of what is stored. What the statistical rung alarms on may be a fault,
    and a model that learns from faults takes them for usual.
    """
    if not alarmed.any():
        return alarmed
    window = np.ones(2 * SUSPECT_ROWS + 1)
    return np.convolve(alarmed, window, mode="full")[SUSPECT_ROWS:][: len(alarmed)] > 0


def _cut(history: History, share: float) -> int:
    settled = max(len(history.series) - SETTLED_ROWS, 0)
    return min(SETTLED_ROWS, len(history.series)) + int(settled * share)

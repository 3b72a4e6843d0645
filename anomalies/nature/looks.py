"""What is looked at around an anomaly. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalies.nature import twins
from mlops import features
from sensors.series import FloatArray, TimeArray

INSTRUMENT, MACHINE = "instrument", "machine"
MARGIN_ROWS = 24  # readings to each side of an anomaly that are looked at
MOST_ROWS = 240  # readings of a long anomaly that are looked at, from its start
_VALUE_FEATURES = np.array([name not in features.INSTRUMENT for name in features.FEATURES])
_NOTABLE = np.array([features.NOTABLE[name] for name in features.FEATURES])


@dataclass(frozen=True, slots=True)
class Track:
    """A sensor's readings around an anomaly. The rows from `first` on are looked at, those before
    are their context. times: datetime64[us]; values in the sensor's unit, both of shape (n,).
    known: features of the rows from `first` on, where somebody has computed them."""

    name: str
    kind: str
    times: TimeArray
    values: FloatArray
    first: int
    known: FloatArray | None = None

    def features(self) -> FloatArray:
        """Of the rows that are looked at: shape (n - first, d)."""
        if self.known is not None:
            return self.known
        return features.compute(self.times, self.values, self.first)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Physical limits in the sensor's unit; None where there is none."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """nature: instrument or machine. sort: one of models.NatureSort, or empty; reason: why."""

    nature: str
    sort: str
    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """A track with what was computed of it. start, end: the anomaly's rows, both in it; X: features
    of the rows from track.first on; loud: how notable each such row's value is; noise: of one
    reading, in the unit."""

    track: Track
    start: int
    end: int
    X: FloatArray
    loud: FloatArray
    noise: float
    interval: np.timedelta64

    @classmethod
    def between(cls, own: Track, start: np.datetime64, end: np.datetime64) -> Look | None:
        """None where too little came before to know the sensor."""
        rows = np.flatnonzero((own.times >= start) & (own.times <= end))
        rows = rows[rows >= own.first]
        if not len(rows) or rows[-1] < features.MIN_ROWS:
            return None
        X = own.features()
        before = own.values[: own.first]
        noise = twins.noise_of(before if len(before) > features.MIN_ROWS else own.values)
        intervals = np.diff(own.times).astype("timedelta64[us]").astype(np.int64)
        interval = np.timedelta64(max(int(np.median(intervals)), 1), "us")
        return cls(own, int(rows[0]), int(rows[-1]), X, loudness(X), noise, interval)

    @property
    def odd_values(self) -> FloatArray:
        return self.track.values[self.start : self.end + 1]


def loudness(X: FloatArray) -> FloatArray:
    """How notable the most notable feature of the value is; 1 is where it is by itself. (n,)"""
    return np.asarray((np.abs(X) / _NOTABLE)[:, _VALUE_FEATURES].max(axis=1, initial=0.0))

"""On which times the sensors of one machine are compared. Pure.

The grid is made of what the readings themselves say of the sensors' rhythms, and only of readings
that lie before the rows it is used for: a score sees the past alone, and the same readings make the
same grid in whatever order they came.

- A sensor is known from its KNOWN_ROWS-th reading on; how often it speaks is the median of the
  intervals up to there.
- When another sensor becomes known an *era* begins, with a grid and a fit of its own.
- A row of the grid is as long as the slowest of its sensors needs from reading to reading. A sensor
  more than SLOWER times as slow as the median one is left out, else one sample a day would set the
  pace. The value of a row is the mean of the readings in it; without any it is missing, never 0.
- Rows begin as far as can be from when the sensors speak: of readings that come every ten minutes
  and waver by a second, two would else lie in one row and none in the next.
- A time in which no sensor spoke is no row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.streaming.alarm import USUAL_WARMUP
from mlops.detectors.streaming.contract import FORMAT
from mlops.detectors.streaming.joint import JointFold
from sensors.series import FloatArray, TimeArray

KNOWN_ROWS = 65
FEWEST_SENSORS, MOST_SENSORS = 2, 32
SLOWER = 10.0
# Divisors of a day, so that each has the same rows. A rhythm wavers by a few per cent.
STEPS_S = (
    *(1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800),
    *(3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400),
)
WAVERS = 0.95
# A row is judged once every sensor spoke after it; one that is so many rows behind is not waited
# for.
PATIENCE_ROWS = 5
# Raise it when the same readings give another grid or score than before.
REVISION = 4


@dataclass(frozen=True, slots=True)
class Member:
    """A sensor whose rhythm is known. since: event time (us) of its KNOWN_ROWS-th reading."""

    sensor: int
    since: np.datetime64
    interval_s: float

    @classmethod
    def of(cls, sensor: int, times: TimeArray) -> Member | None:
        """times: of its first readings, in order; None while they are too few."""
        if len(times) < KNOWN_ROWS:
            return None
        first = times[:KNOWN_ROWS].astype("datetime64[us]")
        intervals = np.diff(first).astype(np.int64) / 1e6
        return cls(sensor, first[-1], float(np.median(intervals)))


@dataclass(frozen=True, slots=True)
class Era:
    """From `begin` on, where a row begins, these sensors, in ascending order, are compared every
    `step_s` seconds. zone: of their site, by whose clock machines may keep their hours."""

    begin: np.datetime64
    step_s: int
    sensors: tuple[int, ...]
    zone: str = "UTC"

    @property
    def fold(self) -> JointFold:
        return JointFold(len(self.sensors), USUAL_WARMUP, self.zone)

    @property
    def step(self) -> np.timedelta64:
        return np.timedelta64(self.step_s * 1_000_000, "us")

    @property
    def version(self) -> str:
        """Names the fold that a state belongs to."""
        layout = list(_layout(len(self.sensors)))
        named = (REVISION, FORMAT, str(self.begin), self.step_s, self.sensors, self.zone, layout)
        return sha256(repr(named).encode()).hexdigest()[:12]

    def row_of(self, time: np.datetime64) -> np.datetime64:
        """Start of the row that a time lies in."""
        return floor(time, self.step, self.begin)


@dataclass(frozen=True, slots=True)
class Rows:
    """times: shape (n,), when each row starts; values: shape (n, k), NaN for what is missing.
    faulty: shape (n,), the rows of a confirmed fault; None without any."""

    times: TimeArray
    values: FloatArray
    faulty: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> Rows:
        faulty = None if self.faulty is None else self.faulty[rows]
        return Rows(self.times[rows], self.values[rows], faulty)


@cache
def _layout(sensors: int) -> tuple[tuple[str, tuple[int, ...], str], ...]:
    """Names, shapes and types of what the fold of so many sensors keeps."""
    state = JointFold(sensors, USUAL_WARMUP).start()
    return tuple((name, array.shape, array.dtype.str) for name, array in state.items())


def eras(members: Collection[Member], zone: str = "UTC") -> tuple[Era, ...]:
    """The eras of a machine, oldest first; none while fewer than FEWEST_SENSORS are known.

    zone: of its site.

    >>> noon = np.datetime64("2026-01-02T12:03", "us")
    >>> pair = [Member(7, noon, 61.0), Member(9, noon + np.timedelta64(1, "h"), 590.0)]
    >>> [era] = eras(pair)
    >>> era.begin, era.step_s, era.sensors
    (np.datetime64('2026-01-02T13:08:00.000000'), 600, (7, 9))
    """
    found: list[Era] = []
    for since in sorted({member.since for member in members}):
        known = [member for member in members if member.since <= since]
        step_s, sensors = _step_and_sensors(known)
        if len(sensors) < FEWEST_SENSORS:
            continue
        if not found or (found[-1].step_s, found[-1].sensors) != (step_s, sensors):
            compared = [member for member in known if member.sensor in sensors]
            found.append(Era(_begin(since, step_s, compared), step_s, sensors, zone))
    return tuple(found)


def floor(time: np.datetime64, step: np.timedelta64, origin: np.datetime64) -> np.datetime64:
    """Start of the row that a time lies in, where one begins at `origin`.

    >>> noon = np.datetime64("2026-01-02T12:00", "us")
    >>> floor(noon + np.timedelta64(77, "m"), np.timedelta64(600, "s"), noon)
    np.datetime64('2026-01-02T13:10:00.000000')
    """
    return time - (time - origin) % step


def closed(newest: Collection[np.datetime64], era: Era) -> np.datetime64:
    """Rows that end by then are judged: each sensor that still speaks has spoken after them.

    newest: event time of the last reading of each sensor, at least one.
    """
    patience = PATIENCE_ROWS * era.step
    return era.row_of(min(time for time in newest if time >= max(newest) - patience))


def table(era: Era, sensors: NDArray[np.int64], times: TimeArray, means: FloatArray) -> Rows:
    """Rows of what was measured: (sensor, start of the row, mean), shape (n,) each."""
    starts, row = np.unique(times.astype("datetime64[us]"), return_inverse=True)
    values = np.full((len(starts), len(era.sensors)), np.nan)
    values[row, np.searchsorted(era.sensors, sensors)] = means
    return Rows(starts, values)


def _begin(since: np.datetime64, step_s: int, members: Sequence[Member]) -> np.datetime64:
    """The first start of a row after `since`: in the middle of the widest time in which none of the
    members speaks, of those that speak once a row; to a hundredth of a row."""
    step = step_s * 1_000_000
    once = [member.since for member in members if 2 * member.interval_s >= step_s]
    phases = np.sort(np.array(once, "datetime64[us]").astype(np.int64) % step)
    edge = 0
    if len(phases):
        pauses = np.diff(phases, append=phases[0] + step)
        widest = int(np.argmax(pauses))
        edge = int(phases[widest] + pauses[widest] // 2)
        edge -= edge % (step // 100)
    length = np.timedelta64(step, "us")
    return floor(since, length, np.datetime64(edge, "us")) + length


def _step_and_sensors(known: Sequence[Member]) -> tuple[int, tuple[int, ...]]:
    intervals = np.sort([member.interval_s for member in known])
    slowest = SLOWER * intervals[(len(intervals) - 1) // 2]
    in_time = [member for member in known if member.interval_s <= slowest]
    chosen = sorted(in_time, key=lambda member: member.sensor)[:MOST_SENSORS]
    needed = WAVERS * max(member.interval_s for member in chosen)
    step_s = next((step for step in STEPS_S if step >= needed), STEPS_S[-1])
    return step_s, tuple(member.sensor for member in chosen)

"""What a sensor's hours were like, and whether a row is like earlier ones of its time of day. Pure.

Days are compared by the clock in UTC with an hour to either side. Those before the site's clock was
changed are compared by that clock as well: some machines keep the hours of the people around them,
others those of the sun or of a timer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.clocks import NO_CHANGES
from sensors.series import FloatArray
from sensors.slices import Buckets

IntArray = NDArray[np.int64]

HOUR_US = 3_600_000_000
DAY_HOURS = 24
DAYS = 35  # remembered
DAYS_ALIKE = 2  # so many earlier days make a thing familiar: once is no habit
BAND_HOURS = 4  # a row's own hour of readings, which lies in two, and one to either side
# In units of the sensor's noise: how far a value, and the mean of an hour, may lie outside.
VALUE_ROOM, MEAN_ROOM = 2.0, 1.0
CALM = 1 / 3  # of the range an hour usually has at least: a sensor that is stuck is not familiar
CALM_ROWS = 4  # so many readings show it


@dataclass(frozen=True, slots=True)
class Window:
    """The readings of the hour that ends with a row: how far they reach, in the sensor's unit.

    hour: the one that the row lies in, counted from 1970 in UTC; noise: of the sensor just before;
    rows: how many readings there are.
    """

    hour: int
    low: float
    high: float
    mean: float
    noise: float
    rows: int

    @property
    def room(self) -> float:
        """How far a value may lie outside what is known."""
        return VALUE_ROOM * self.noise

    @property
    def mean_room(self) -> float:
        """The same of the mean, which wavers more the fewer readings it is made of."""
        return max(MEAN_ROOM, VALUE_ROOM / float(np.sqrt(self.rows))) * self.noise

    @property
    def may_be_stuck(self) -> bool:
        return self.rows >= CALM_ROWS


@dataclass(frozen=True, slots=True)
class Memory:
    """Hours of a sensor on a grid from `first` on, shape (n,) each; inf or -inf where there were
    no readings. Those that a row is compared with are at least 22 hours older than it.

    known: the hours that have readings, counted from 1970, ascending.
    """

    first: int
    known: IntArray
    low: FloatArray
    high: FloatArray
    least_mean: FloatArray
    most_mean: FloatArray
    least_range: FloatArray

    @classmethod
    def of(cls, hours: Buckets) -> Memory:
        """hours: of one hour each, oldest first."""
        if not len(hours):
            nothing = np.zeros(0)
            return cls(0, np.zeros(0, np.int64), nothing, nothing, nothing, nothing, nothing)
        number = hours.begins // HOUR_US
        # With room for bands that begin before it or end after it.
        first, n = int(number[0]) - BAND_HOURS, int(number[-1] - number[0]) + 1 + 2 * BAND_HOURS

        def laid(values: FloatArray, missing: float) -> FloatArray:
            grid = np.full(n, missing)
            grid[number - first] = values
            return grid

        mean = hours.mean
        return cls(
            first,
            number,
            laid(hours.minimum, np.inf),
            laid(hours.maximum, -np.inf),
            laid(mean, np.inf),
            laid(mean, -np.inf),
            laid(hours.maximum - hours.minimum, np.inf),
        )

    def days_before(self, hours: IntArray) -> IntArray:
        """Whole days to each of these hours from the first that is remembered then, shape (k,)."""
        begin = np.searchsorted(self.known, hours - DAYS * DAY_HOURS)
        some = begin < np.searchsorted(self.known, hours)
        days = np.zeros(len(hours), np.int64)
        days[some] = (hours[some] - self.known[begin[some]]) // DAY_HOURS
        return days

    def days_like(self, windows: Sequence[Window], changes: IntArray = NO_CHANGES) -> IntArray:
        """On how many earlier days it read as in each window at about this time, shape (k,).

        changes: of the site's clock, as sensors.clocks gives them.
        """
        hour = np.array([window.hour for window in windows], np.int64)
        days = hour[:, np.newaxis] - DAY_HOURS * np.arange(1, DAYS + 1)
        bands, columns = _Bands.of(self), _Columns.of(windows)
        alike = self._read_so(columns, bands, days)
        if len(changes):
            later = changes[:, 0] > days[:, :, np.newaxis]
            later &= changes[:, 0] <= hour[:, np.newaxis, np.newaxis]
            alike |= self._read_so(columns, bands, days + later @ changes[:, 1])
        return np.asarray(alike.sum(axis=1))

    def _read_so(self, windows: _Columns, bands: _Bands, hours: IntArray) -> NDArray[np.bool_]:
        """Whether it read as in the window of each row about these hours of that row: (k, n)."""
        starts = hours - 2 - self.first
        known = (starts >= 0) & (starts < len(bands.low))
        at = np.where(known, starts, 0)
        return known & windows.lie_in(bands, at) if len(bands.low) else known

    def rested_like(self, window: Window, lower: float) -> bool:
        """Whether it read as in `window` at rest before, at whatever time: in hours that did not
        exceed `lower`, on DAYS_ALIKE days."""
        if window.high > lower:
            return False
        age = window.hour - self.known
        rests = self.known[(age >= DAY_HOURS) & (age <= DAYS * DAY_HOURS)] - self.first
        rests = rests[self.high[rests] <= lower]
        if len(np.unique(rests // DAY_HOURS)) < DAYS_ALIKE:
            return False
        room, mean_room = window.room, window.mean_room
        return bool(
            window.low >= self.low[rests].min() - room
            and window.high <= self.high[rests].max() + room
            and window.mean >= self.least_mean[rests].min() - mean_room
            and window.mean <= self.most_mean[rests].max() + mean_room
            and not (window.may_be_stuck and self._is_calmer(window, rests))
        )

    def _is_calmer(self, window: Window, hours: IntArray) -> bool:
        return bool(window.high - window.low < CALM * self.least_range[hours].min())


@dataclass(frozen=True, slots=True)
class _Bands:
    """The least and most of BAND_HOURS from each place of the grid on, shape (n - 3,) each."""

    low: FloatArray
    high: FloatArray
    least_mean: FloatArray
    most_mean: FloatArray
    least_range: FloatArray

    @classmethod
    def of(cls, own: Memory) -> _Bands:
        least = (own.low, own.least_mean, own.least_range)
        low, least_mean, least_range = (_over_band(np.minimum, grid) for grid in least)
        high, most_mean = (_over_band(np.maximum, grid) for grid in (own.high, own.most_mean))
        return cls(low, high, least_mean, most_mean, least_range)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Windows as columns, shape (k, 1) each."""

    low: FloatArray
    high: FloatArray
    mean: FloatArray
    room: FloatArray
    mean_room: FloatArray
    may_be_stuck: NDArray[np.bool_]

    @classmethod
    def of(cls, windows: Sequence[Window]) -> _Columns:
        rows = [(w.low, w.high, w.mean, w.room, w.mean_room) for w in windows]
        low, high, mean, room, mean_room = np.array(rows, float).reshape(-1, 5).T[:, :, np.newaxis]
        stuck = np.array([w.may_be_stuck for w in windows], np.bool_)
        return cls(low, high, mean, room, mean_room, stuck[:, np.newaxis])

    def lie_in(self, bands: _Bands, at: IntArray) -> NDArray[np.bool_]:
        """Whether each lies in the bands at the places of its row, shape (k, n)."""
        alike = self.low >= bands.low[at] - self.room
        alike &= self.high <= bands.high[at] + self.room
        alike &= self.mean >= bands.least_mean[at] - self.mean_room
        alike &= self.mean <= bands.most_mean[at] + self.mean_room
        alike &= ~self.may_be_stuck | (self.high - self.low >= CALM * bands.least_range[at])
        return np.asarray(alike)


def _over_band(least_or_most: np.ufunc, grid: FloatArray) -> FloatArray:
    n = max(0, len(grid) - BAND_HOURS + 1)
    found = grid[:n]
    for later in range(1, BAND_HOURS):
        found = least_or_most(found, grid[later : later + n])
    return np.asarray(found)

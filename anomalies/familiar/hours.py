"""What a sensor's hours were like, and whether a row is like earlier ones of its time of day. Pure.

Days are compared by the clock in UTC with an hour to either side. Those before the site's clock was
changed are compared by that clock as well: some machines keep the hours of the people around them,
others those of the sun or of a timer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
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

    def days_before(self, hour: int) -> int:
        """Whole days to this hour from the first that is remembered then."""
        begin, end = np.searchsorted(self.known, [hour - DAYS * DAY_HOURS, hour])
        return int(hour - self.known[begin]) // DAY_HOURS if begin < end else 0

    def days_like(self, window: Window, changes: IntArray = NO_CHANGES) -> int:
        """On how many earlier days it read as in `window` at about this time.

        changes: of the site's clock, as sensors.clocks gives them.
        """
        days = window.hour - DAY_HOURS * np.arange(1, DAYS + 1)
        alike = self._read_so(window, days)
        if len(changes):
            later = (changes[:, 0] > days[:, np.newaxis]) & (changes[:, 0] <= window.hour)
            forward = later @ changes[:, 1]
            alike |= self._read_so(window, days + forward)
        return int(alike.sum())

    def _read_so(self, window: Window, hours: IntArray) -> NDArray[np.bool_]:
        """Whether it read as in `window` about each of these hours, shape (n,)."""
        starts = hours - 2 - self.first
        known = (starts >= 0) & (starts + BAND_HOURS <= len(self.low))
        found = np.zeros(len(hours), np.bool_)
        if known.any():
            found[known] = self._alike(window, starts[known])
        return found

    def _alike(self, window: Window, starts: IntArray) -> NDArray[np.bool_]:
        """Whether it lies in the bands of BAND_HOURS from these places of the grid on."""
        room, mean_room = window.room, window.mean_room
        alike = (window.low >= _least(self.low, starts) - room) & (
            window.high <= _most(self.high, starts) + room
        )
        alike &= window.mean >= _least(self.least_mean, starts) - mean_room
        alike &= window.mean <= _most(self.most_mean, starts) + mean_room
        if window.may_be_stuck:
            alike &= window.high - window.low >= CALM * _least(self.least_range, starts)
        return np.asarray(alike)

    def rested_like(self, window: Window, lower: float) -> bool:
        """Whether it read as in `window` at rest before, at whatever time: in hours that did not
        exceed `lower`, on DAYS_ALIKE days."""
        age = window.hour - self.known
        rests = self.known[(age >= DAY_HOURS) & (age <= DAYS * DAY_HOURS)] - self.first
        rests = rests[self.high[rests] <= lower]
        if window.high > lower or len(np.unique(rests // DAY_HOURS)) < DAYS_ALIKE:
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


def _least(grid: FloatArray, starts: IntArray) -> FloatArray:
    return np.asarray(sliding_window_view(grid, BAND_HOURS)[starts].min(axis=1))


def _most(grid: FloatArray, starts: IntArray) -> FloatArray:
    return np.asarray(sliding_window_view(grid, BAND_HOURS)[starts].max(axis=1))

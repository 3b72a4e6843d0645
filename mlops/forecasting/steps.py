"""Readings on a grid of equal steps, and what is known about the times ahead. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sensors.series import FloatArray, TimeArray, to_datetime

DAY_S, WEEK_S = 86_400, 7 * 86_400


@dataclass(frozen=True, slots=True)
class Steps:
    """A sensor's past in steps of equal length, oldest first.

    start: when the first one begins, UTC; values: shape (n,), the mean of each step in the sensor's
    unit; known: shape (n,), whether it was measured, else it was filled from what came before it;
    zone: of the site, whose clock people and machines live by.
    """

    start: np.datetime64
    step_s: int
    values: FloatArray
    known: NDArray[np.bool_]
    zone: ZoneInfo

    def __len__(self) -> int:
        return len(self.values)

    @property
    def season(self) -> int:
        """Steps of a day, or of a week where a step is longer than a quarter of a day."""
        return (DAY_S if self.step_s <= DAY_S // 4 else WEEK_S) // self.step_s

    @property
    def step(self) -> np.timedelta64:
        return np.timedelta64(self.step_s * 1_000_000, "us")

    @property
    def end(self) -> np.datetime64:
        """When the newest step ends."""
        return self.start + self.step * len(self)

    def times(self, first: int, stop: int) -> TimeArray:
        """When the steps first..stop begin; those from n on are ahead."""
        return self.start + self.step * np.arange(first, stop)

    def until(self, n: int) -> Steps:
        """The first n steps alone."""
        return replace(self, values=self.values[:n], known=self.known[:n])


def on_grid(
    times: TimeArray,
    values: FloatArray,
    *,
    start: np.datetime64,
    n: int,
    step_s: int,
    zone: ZoneInfo,
    weights: FloatArray | None = None,
) -> Steps:
    """Steps from `start` on of what was measured at `times`; those before the first are left out.

    weights: shape (n,), how many readings each value stands for. Values that are not finite and
    times outside the grid are ignored.

    >>> at = np.array(["2026-01-01T00:10", "2026-01-01T00:50", "2026-01-01T02:00"], "M8[us]")
    >>> utc = ZoneInfo("UTC")
    >>> on_grid(at, np.array([1.0, 3.0, 5.0]), start=at[0].astype("M8[h]").astype("M8[us]"), n=3,
    ...         step_s=3600, zone=utc).values
    array([2., 2., 5.])
    """
    weights = np.ones(len(values)) if weights is None else weights
    place = (times - start) // np.timedelta64(step_s, "s")
    kept = (place >= 0) & (place < n) & np.isfinite(values)
    count = np.bincount(place[kept], weights[kept], n)
    total = np.bincount(place[kept], values[kept] * weights[kept], n)
    known = count > 0
    first = int(known.argmax()) if known.any() else n
    means = np.divide(total, count, out=np.full(n, np.nan), where=known)[first:]
    begins = start + np.timedelta64(step_s, "s") * first
    empty = Steps(begins.astype("datetime64[us]"), step_s, means, known[first:], zone)
    return replace(empty, values=filled(means, empty.season))


def without(steps: Steps, spans: list[tuple[np.datetime64, np.datetime64]]) -> Steps:
    """The same, but what lies in these spans (both ends included) counts as not measured."""
    begins, known = steps.times(0, len(steps)), steps.known.copy()
    for start, end in spans:
        known &= (begins + steps.step <= start) | (begins > end)
    if not known.any():
        return steps.until(0)
    first = int(known.argmax())
    values = np.where(known, steps.values, np.nan)[first:]
    rest = replace(steps, start=begins[first], values=values, known=known[first:])
    return replace(rest, values=filled(values, steps.season))


def filled(values: FloatArray, season: int) -> FloatArray:
    """NaN replaced by the value one season before, else by the one before; the first is known.

    >>> filled(np.array([1.0, 2.0, np.nan, 4.0, np.nan]), season=3)
    array([1., 2., 2., 4., 2.])
    """
    whole = values.copy()
    for i in np.flatnonzero(np.isnan(whole)):
        whole[i] = whole[i - season] if i >= season else whole[i - 1]
    return whole


def calendar(times: TimeArray, zone: ZoneInfo) -> FloatArray:
    """Sine and cosine of the hour of the day, and the day of the week, on the zone's clock: (n, 3).

    >>> calendar(np.array(["2026-07-01T10:00"], "M8[us]"), ZoneInfo("Europe/Berlin")).round(3) + 0
    array([[ 0., -1.,  2.]])
    """
    clocks = local(times, zone)
    angle = np.array([(t.hour + t.minute / 60) / 24 for t in clocks]) * 2 * np.pi
    weekday = np.array([t.weekday() for t in clocks], dtype=float)
    return np.column_stack([np.sin(angle), np.cos(angle), weekday])


def local(times: TimeArray, zone: ZoneInfo) -> list[datetime]:
    """The same times on the zone's clock."""
    return [to_datetime(time).astimezone(zone) for time in times]

"""What the readings before an anomaly say about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from anomalies.evidence import Evidence, Term
from anomalies.policy import ValidationPolicy
from sensors.series import FloatArray, Series

SOURCE = "history"


@dataclass(frozen=True, slots=True)
class History:
    """The readings before an anomaly, oldest first.

    values: shape (n,), in the sensor's unit; quality: shape (n,), 0..1. Both finite. hours: shape
    (n,), of the readings' times since the first, or empty where they are not known. days: what was
    read at this time of day on each of the days before of which readings are known.
    """

    values: FloatArray
    quality: FloatArray
    hours: FloatArray = field(default_factory=lambda: np.empty(0))
    days: tuple[FloatArray, ...] = ()

    @classmethod
    def of(cls, series: Series, days: Sequence[Series] = ()) -> History:
        """The usable readings of a series: those that are not finite are left out."""
        known = _usable(series)
        hours = (known.times - known.times[:1]) / np.timedelta64(1, "h")
        usable = (_usable(day).values for day in days)
        return cls(known.values, known.quality, hours, tuple(day for day in usable if len(day)))

    def __len__(self) -> int:
        return len(self.values)

    def recent(self, n: int) -> FloatArray:
        return self.values[-n:]

    @property
    def mean(self) -> float | None:
        """In the sensor's unit; None without readings."""
        return float(np.mean(self.values)) if len(self) else None

    @property
    def mean_quality(self) -> float | None:
        """Rounded: quality is stored as float4, in which 0.7 lies just below 0.7."""
        return round(float(np.mean(self.quality)), 6) if len(self) else None

    @property
    def slope(self) -> float | None:
        """Of the least-squares line, in the unit an hour; None while it has no two times.

        >>> History(np.array([1.0, 2.0, 3.0]), np.ones(3), np.array([0.0, 0.5, 1.0])).slope
        2.0
        """
        if len(self.hours) < 2 or self.hours[-1] == self.hours[0]:
            return None
        largest = float(np.abs(self.values).max()) or 1.0
        apart = self.hours - np.mean(self.hours)
        return float(np.dot(apart, self.values / largest) / np.dot(apart, apart)) * largest


def _usable(series: Series) -> Series:
    is_usable = np.isfinite(series.values) & np.isfinite(series.quality)
    return Series(series.times[is_usable], series.values[is_usable], series.quality[is_usable])


def scatter(values: FloatArray) -> float:
    """Sample standard deviation in the values' unit; exactly 0 for equal values or fewer than two.

    Free of overflow: values are scaled first, since a sensor of no known kind may report 1e300.

    >>> scatter(np.array([0.1, 0.1, 0.1])), scatter(np.array([1e300, -1e300])) > 1e300
    (0.0, True)
    """
    if len(values) < 2 or values.min() == values.max():
        return 0.0
    largest = float(np.abs(values).max())
    return float(np.std(values / largest, ddof=1)) * largest


def recurrence(history: History, value: float, tolerance: float) -> float:
    """The share, 0..1, of the history that looks like `value`.

    tolerance: in standard deviations of the history. In a history without variance only the very
    same value looks alike.

    >>> recurrence(History(np.array([0.0, 0.0, 9.0, 9.0]), np.ones(4)), 9.5, tolerance=0.25)
    0.5
    """
    if not len(history):
        return 0.0
    alike = np.abs(history.values - value) <= tolerance * scatter(history.values)
    return float(np.mean(alike))


def seasonal_recurrence(history: History, value: float, tolerance: float) -> float:
    """The share, 0..1, of the days on which some reading at this time looked like `value`.

    tolerance: in standard deviations of all readings at this time.

    >>> days = (np.array([1.0, 9.0]), np.array([1.0, 9.1]), np.array([1.0, 1.1]))
    >>> round(seasonal_recurrence(History(np.empty(0), np.empty(0), days=days), 9.2, 0.25), 2)
    0.67
    """
    if not history.days:
        return 0.0
    near = tolerance * scatter(np.concatenate(history.days))
    return float(np.mean([bool(np.any(np.abs(day - value) <= near)) for day in history.days]))


def terms(history: History, evidence: Evidence, policy: ValidationPolicy) -> tuple[Term, ...]:
    """What the history adds to the confidence; nothing but its own shortage when it is short."""
    if len(history) < policy.min_history:
        reason = f"{len(history)} readings before it, {policy.min_history} needed"
        return (Term(SOURCE, "too_short", 0.0, reason),)
    return (*_stability(history, evidence, policy), *_recurrence(history, evidence, policy),
            *_season(history, evidence, policy), *_quality(history, policy))  # fmt: skip


def _stability(history: History, evidence: Evidence, policy: ValidationPolicy) -> Iterator[Term]:
    recent = history.recent(policy.recent_stability_window)
    step, spread = abs(evidence.value - float(np.median(recent))), scatter(recent)
    seen = f"{step:.4g} away from the last {len(recent)} readings, which scatter by {spread:.4g}"
    if step > 0 and step >= policy.jump_sigmas * spread:
        yield Term(SOURCE, "stable_jump", policy.stable_jump_adjustment, f"a jump: {seen}")
    elif spread > 0 and step <= policy.volatile_sigmas * spread and evidence.is_about_the_value:
        yield Term(SOURCE, "volatility", policy.volatility_adjustment, f"volatile: {seen}")


def _recurrence(history: History, evidence: Evidence, policy: ValidationPolicy) -> Iterator[Term]:
    share = recurrence(history, evidence.value, policy.recurrence_tolerance)
    if share >= policy.recurring_anomaly_threshold_pct and evidence.is_about_the_value:
        reason = f"{share:.0%} of the last {len(history)} readings look like it"
        yield Term(SOURCE, "recurrence", policy.recurrence_adjustment, reason)


def _season(history: History, evidence: Evidence, policy: ValidationPolicy) -> Iterator[Term]:
    # Within the band it is the shape that is odd. A stuck value recurs all day, see below.
    if len(history.days) < policy.seasonal_min_days or evidence.band_excess == 0.0:
        return
    share = seasonal_recurrence(history, evidence.value, policy.recurrence_tolerance)
    lately = recurrence(history, evidence.value, policy.recurrence_tolerance)
    # What recurs all day long is no season.
    if (
        share >= policy.seasonal_recurrence_threshold_pct
        and lately < policy.recurring_anomaly_threshold_pct
    ):
        days = len(history.days)
        reason = f"at this time of day {share:.0%} of the last {days} days look like it"
        yield Term(SOURCE, "seasonal_recurrence", policy.seasonal_adjustment, reason)


def _quality(history: History, policy: ValidationPolicy) -> Iterator[Term]:
    mean = history.mean_quality
    if mean is not None and mean < policy.poor_quality_threshold:
        reason = f"the readings before it have a mean quality of {mean:.2f}"
        yield Term(SOURCE, "poor_quality", policy.poor_quality_adjustment, reason)

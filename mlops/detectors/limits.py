"""The first rung: physical and alarm limits, from reading 1. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.series import FloatArray

NAME = "limits"
_AT_ALARM = 0.75  # a limit that a person set is not a matter of rarity: crossing it is an alarm


def score(
    values: FloatArray,
    physical_min: float | None,
    physical_max: float | None,
    alarm_low: float | None,
    alarm_high: float | None,
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Scores of shape (n,) and whether a physical limit is crossed, shape (n,).

    Limits are in the values' unit; None is no limit. 0 within the limits (the limit itself is
    within), 0.75 and rising with the excess past an alarm limit, 1 past a physical one: there the
    instrument is wrong, not the machine.

    >>> score(np.array([5.0, 20.0, 400.0]), 0.0, 100.0, None, 10.0)
    (array([0.   , 0.875, 1.   ]), array([False, False,  True]))
    """
    low, high = _bounds(alarm_low, alarm_high)
    excess = np.maximum(np.maximum(low - values, values - high), 0.0)
    span = _span(low, high)
    found = np.where(excess > 0, _AT_ALARM + (1 - _AT_ALARM) * excess / (excess + span), 0.0)
    floor, ceiling = _bounds(physical_min, physical_max)
    is_physical = (values < floor) | (values > ceiling)
    return np.where(is_physical, 1.0, found), is_physical


def crossed(
    value: float,
    physical_min: float | None,
    physical_max: float | None,
    alarm_low: float | None,
    alarm_high: float | None,
) -> tuple[str, float]:
    """The limit that gave a value its score, by name, and how far the value lies past it, in the
    unit. A physical one outweighs an alarm limit. ValueError within the limits.

    >>> crossed(12.0, 0.0, 100.0, None, 10.0), crossed(-1.0, 0.0, 100.0, 5.0, None)
    (('alarm_high', 2.0), ('physical_min', 1.0))
    """
    floor, ceiling = _bounds(physical_min, physical_max)
    low, high = _bounds(alarm_low, alarm_high)
    past = {
        "physical_min": floor - value,
        "physical_max": value - ceiling,
        "alarm_low": low - value,
        "alarm_high": value - high,
    }
    for name, excess in past.items():
        if excess > 0:
            return name, excess
    raise ValueError(f"{value} crosses none of its limits")


def _bounds(low: float | None, high: float | None) -> tuple[float, float]:
    return (-np.inf if low is None else low), (np.inf if high is None else high)


def _span(low: float, high: float) -> float:
    """The excess that counts as much: the width between the limits, or the one limit's size."""
    if np.isfinite(high - low) and high > low:
        return high - low
    return max([abs(limit) for limit in (low, high) if np.isfinite(limit)], default=1.0) or 1.0

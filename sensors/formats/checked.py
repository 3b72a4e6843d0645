"""Columns → `Batch`, when every row of them is well-formed. Pure.

The rules are those of `sensors.rows`, asked of columns: names once each, numbers as arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sensors import iso8601
from sensors.formats.batch import Batch, Coded
from sensors.rows import are_kinds, are_qualities, are_sensors, are_units, are_values
from sensors.series import FloatArray, TimeArray


def batch_of(
    sensor: Coded,
    times: TimeArray,
    values: FloatArray,
    *,
    quality: FloatArray | None = None,
    kind: Coded | None = None,
    unit: Coded | None = None,
    original: Callable[[int], Any] | None,
) -> Batch | None:
    """The rows as a batch, or None when at least one of them is not well-formed.

    Arrays of shape (n,): UTC datetime64[us]; NaN where no quality is given. original: as in Batch.
    """
    n = len(values)
    quality = np.full(n, np.nan) if quality is None else quality
    kind, unit = _in_lower_case(kind or Coded.empty(n)), unit or Coded.empty(n)
    is_well_formed = (
        iso8601.are_known(times)
        and are_values(values)
        and are_sensors(sensor.names)
        and are_qualities(quality[~np.isnan(quality)])
        and are_kinds(kind.names)
        and are_units(unit.names)
    )
    if not is_well_formed:
        return None
    return Batch(sensor, times, values, quality, kind, unit, np.arange(n), (), original)


def _in_lower_case(kind: Coded) -> Coded:
    names = tuple(dict.fromkeys(name.lower() for name in kind.names))
    # The last place is for -1, no kind.
    places = np.array([*(names.index(name.lower()) for name in kind.names), -1])
    return Coded(names, places[kind.codes])

"""Profiles put right after stored readings were given other values.

Count, mean and variance are those of the readings as they are now, and the latest value that of the
newest reading; the range is looked up anew where one of its ends was replaced. The observed
interval does not change, and quality_mean stays a memory of what arrived.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import numpy as np
from django.db import connection

from sensors import buckets, statements
from sensors.models import Sensor
from sensors.series import FloatArray, to_datetime
from sensors.statements import Array
from sensors.store import Columns

# Less of the squared deviations than this share is what rounding leaves.
_LOST = 1e-10
_PROFILES = """
SELECT sensor_id, count, mean, m2, minimum, maximum, first_time, last_time, last_value
FROM sensors_sensorprofile WHERE sensor_id = ANY(%s::bigint[]) ORDER BY sensor_id FOR UPDATE
"""
_CORRECT = """
UPDATE sensors_sensorprofile p SET mean = c.mean, m2 = c.m2, minimum = c.minimum,
    maximum = c.maximum, last_value = c.last_value
FROM unnest(%s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::float8[])
    AS c (sensor_id, mean, m2, minimum, maximum, last_value)
WHERE p.sensor_id = c.sensor_id
"""
_VARIANCE = "SELECT var_pop(value) FROM sensors_reading WHERE sensor_id = %s"


class _Profile(NamedTuple):
    sensor_id: int
    readings: int
    mean: float
    m2: float
    minimum: float
    maximum: float
    first_time: datetime
    last_time: datetime
    last_value: float


def correct(readings: Columns, *, was: FloatArray) -> None:
    """readings: as they are now, sorted by (sensor, time); was: the value of each before.

    Call it when they are stored and noted for the roll-ups, in the same transaction.
    """
    ids = Array("int8", np.unique(readings.sensor_ids))
    before = map(_Profile._make, statements.run(_PROFILES, (ids,)).fetchall())
    after = [
        _corrected(profile, readings.take(rows), was[rows])
        for profile in before
        for rows in [readings.sensor_ids == profile.sensor_id]
    ]
    if not after:
        return
    columns = [
        np.array([getattr(profile, name) for profile in after])
        for name in ("mean", "m2", "minimum", "maximum", "last_value")
    ]
    sensors = np.array([profile.sensor_id for profile in after])
    statements.run(
        _CORRECT, (Array("int8", sensors), *(Array("float8", column) for column in columns))
    )


def _corrected(profile: _Profile, readings: Columns, was: FloatArray) -> _Profile:
    """The profile with some of its values replaced."""
    shift = float((readings.values - was).sum())
    ends = ((readings.values - profile.mean) ** 2 - (was - profile.mean) ** 2).sum()
    m2 = max(0.0, profile.m2 + float(ends) - shift**2 / profile.readings)
    found = profile._replace(
        mean=profile.mean + shift / profile.readings,
        m2=m2,
        minimum=min(profile.minimum, float(readings.values.min())),
        maximum=max(profile.maximum, float(readings.values.max())),
        last_value=_latest(profile, readings),
    )
    if was.min() <= profile.minimum or was.max() >= profile.maximum:
        found = _with_range(found)
    return _with_variance(found) if m2 < _LOST * profile.m2 else found


def _latest(profile: _Profile, readings: Columns) -> float:
    is_newest = to_datetime(readings.times[-1]) == profile.last_time
    return float(readings.values[-1]) if is_newest else profile.last_value


def _with_range(profile: _Profile) -> _Profile:
    """Range and mean of all that was measured, by way of the roll-ups."""
    found = buckets.points(
        Sensor(pk=profile.sensor_id), since=profile.first_time, until=profile.last_time, limit=1
    )
    if isinstance(found, buckets.Singles):
        low = high = mean = found.values
    else:
        low, high, mean = found.buckets.minimum, found.buckets.maximum, found.buckets.mean
    if not len(mean):
        return profile
    return profile._replace(minimum=float(low[0]), maximum=float(high[0]), mean=float(mean[0]))


def _with_variance(profile: _Profile) -> _Profile:
    """Where a value that is gone was so large that the others' deviations were lost in it."""
    with connection.cursor() as cursor:
        cursor.execute(_VARIANCE, [profile.sensor_id])
        [variance] = cursor.fetchone()
    return profile if variance is None else profile._replace(m2=variance * profile.readings)

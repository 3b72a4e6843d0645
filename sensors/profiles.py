"""What a sensor's accepted readings look like so far, merged batch by batch (Chan et al. 1979)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sensors import statements
from sensors.series import FloatArray, TimeArray
from sensors.statements import Array
from sensors.store import Columns

# Quality remembers about this many readings; older ones fade.
QUALITY_MEMORY = 1000
# How much of the observed interval one batch may move, and how far a gap may pull it.
INTERVAL_WEIGHT, INTERVAL_LEAP = 0.2, 4

# The difference of the means. Below 1e-100 it is taken for 0: PostgreSQL refuses a product that
# underflows, and values lie within ±1e100.
_STEP = "(CASE WHEN abs(excluded.mean - p.mean) < 1e-100 THEN 0 ELSE excluded.mean - p.mean END)"
# Seconds between readings: from the last one known where the batch carries on from it.
_INTERVAL = (
    "(CASE WHEN excluded.first_time > p.last_time "
    "THEN extract(epoch FROM excluded.last_time - p.last_time)::float8 / excluded.count "
    "ELSE excluded.interval_s END)"
)
# Adds readings that were really stored to the profiles of their sensors: one statement for all of
# them, rows locked in the order of their ids.
MERGE = f"""
INSERT INTO sensors_sensorprofile AS p (
    sensor_id, count, mean, m2, minimum, maximum, quality_mean,
    first_time, last_time, last_value, interval_s, updated_at)
SELECT sensor_id, count, mean, m2, minimum, maximum, quality_mean,
    first_time, last_time, last_value, nullif(interval_s, 'NaN'), %s::timestamptz
FROM unnest(
    %s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::float8[],
    %s::float8[], %s::timestamptz[], %s::timestamptz[], %s::float8[], %s::float8[])
AS added (sensor_id, count, mean, m2, minimum, maximum, quality_mean,
    first_time, last_time, last_value, interval_s)
ORDER BY sensor_id
ON CONFLICT (sensor_id) DO UPDATE SET
    count = p.count + excluded.count,
    mean = p.mean + {_STEP} * excluded.count / (p.count + excluded.count),
    m2 = p.m2 + excluded.m2
        + {_STEP} * {_STEP} * p.count * excluded.count / (p.count + excluded.count),
    minimum = least(p.minimum, excluded.minimum),
    maximum = greatest(p.maximum, excluded.maximum),
    quality_mean = p.quality_mean + (excluded.quality_mean - p.quality_mean)
        * excluded.count / (least(p.count, {QUALITY_MEMORY}) + excluded.count),
    first_time = least(p.first_time, excluded.first_time),
    last_time = greatest(p.last_time, excluded.last_time),
    last_value = CASE WHEN p.last_time > excluded.last_time
        THEN p.last_value ELSE excluded.last_value END,
    interval_s = CASE
        WHEN {_INTERVAL} IS NULL THEN p.interval_s
        WHEN p.interval_s IS NULL THEN {_INTERVAL}
        ELSE p.interval_s + {INTERVAL_WEIGHT}
            * (least({_INTERVAL}, {INTERVAL_LEAP} * p.interval_s) - p.interval_s) END,
    updated_at = excluded.updated_at
"""  # noqa: S608  constants of this module only


@dataclass(frozen=True, slots=True)
class Summary:
    """What readings say of each of their sensors; arrays of shape (k,), by sensor id.

    interval_s is NaN for a single reading.
    """

    sensor_ids: NDArray[np.int64]
    counts: NDArray[np.int64]
    means: FloatArray
    m2: FloatArray
    minima: FloatArray
    maxima: FloatArray
    qualities: FloatArray
    first_times: TimeArray
    last_times: TimeArray
    last_values: FloatArray
    intervals_s: FloatArray

    def params(self, now: datetime) -> tuple[object, ...]:
        """What MERGE asks for."""
        return (
            now,
            Array("int8", self.sensor_ids),
            Array("int8", self.counts),
            Array("float8", self.means),
            Array("float8", self.m2),
            Array("float8", self.minima),
            Array("float8", self.maxima),
            Array("float8", self.qualities),
            statements.times(self.first_times),
            statements.times(self.last_times),
            Array("float8", self.last_values),
            Array("float8", self.intervals_s),
        )


def summarise(readings: Columns) -> Summary:
    """readings: at least one, sorted by (sensor, time)."""
    ids, values, times = readings.sensor_ids, readings.values, readings.times
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    ends = np.r_[starts[1:], len(ids)]
    counts, last = ends - starts, ends - 1
    means = np.add.reduceat(values, starts) / counts
    deviations = values - np.repeat(means, counts)
    seconds = (times[last] - times[starts]) / np.timedelta64(1, "s")
    return Summary(
        ids[starts],
        counts,
        means,
        np.add.reduceat(deviations**2, starts),
        np.minimum.reduceat(values, starts),
        np.maximum.reduceat(values, starts),
        # Rounded, so that no difference of two of them can underflow.
        (np.add.reduceat(readings.quality, starts) / counts).round(9),
        times[starts],
        times[last],
        values[last],
        np.where(counts > 1, seconds, np.nan) / np.maximum(counts - 1, 1),
    )

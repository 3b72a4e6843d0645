"""How rare a reading must be, from the false alarms that a sensor can bear. Pure.

A detector's level is where its evidence counts as an alarm: 1 is where it alarms by itself. Healthy
streams say how often each detector exceeds a level; the setting and the interval between readings
say how often it may. The core needs no such table: its evidence is a tail probability of the
sensor's own past already.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sensors.series import FloatArray, TimeArray

DAYS = 30
# Where healthy generated sensors, a reading every ten minutes, give about one alarm in 30 days when
# what is familiar is left out; and by how much lower they give about ten times as many. OWN: the
# rungs that judge by a sensor's own features; CHAMPION: one that was trained on such sensors.
OWN_BASE, OWN_DROP = 0.83, 0.42
CHAMPION_BASE, CHAMPION_DROP = 0.82, 0.44
REFERENCE_INTERVAL_S = 600.0
INTERVALS = 63  # of which the median is a row's usual one
LEAST, MOST = 0.5, 2.0


def decades(times: TimeArray, first: int, false_alarms: float) -> FloatArray:
    """log10 of the share of readings that may alarm, against one alarm in 30 days at ten minutes.

    times: shape (n,), oldest first; false_alarms: in 30 days, above 0. Shape (n - first,); a row's
    is a function of the INTERVALS before it. 0 above the setting while no interval is known.

    >>> every_minute = np.datetime64("2026-01-01", "us") + np.arange(3) * np.timedelta64(60, "s")
    >>> decades(every_minute, 0, 1.0).round(2)
    array([ 0., -1., -1.])
    """
    interval = usual_intervals(times, first)
    interval = np.where(np.isfinite(interval), interval, REFERENCE_INTERVAL_S)
    return np.asarray(np.log10(false_alarms * interval / REFERENCE_INTERVAL_S))


def usual_intervals(times: TimeArray, first: int) -> FloatArray:
    """Median seconds between the readings up to each row from `first` on; inf without any."""
    start = max(0, first - INTERVALS)
    micros = times[start:].astype("datetime64[us]").astype(np.int64)
    gaps = np.concatenate([np.full(INTERVALS, np.inf), np.diff(micros) / 1e6])
    windows = np.sort(sliding_window_view(gaps, INTERVALS)[first - start :], axis=1)
    known = np.clip(np.arange(first, len(times)), 0, INTERVALS)
    middle = np.maximum(known - 1, 0) // 2
    return np.asarray(np.maximum(windows[np.arange(len(windows)), middle], 1e-6))


def own_level(decades: FloatArray) -> FloatArray:
    """Of the rungs that judge by a sensor's own features."""
    return np.asarray(np.clip(OWN_BASE - OWN_DROP * decades, LEAST, MOST))


def champion_level(decades: FloatArray) -> FloatArray:
    return np.asarray(np.clip(CHAMPION_BASE - CHAMPION_DROP * decades, LEAST, MOST))


def core_level(decades: FloatArray, rarity: float) -> FloatArray:
    """-log10 of a tail probability; rarity: what it is where a row's decades are 0."""
    return np.asarray(np.maximum(rarity - decades, 1.0))


def at_level(scores: FloatArray, level: FloatArray) -> FloatArray:
    """Scores that reach 0.5 where their evidence, score / (1 - score), reaches the level.

    >>> at_level(np.array([0.0, 0.5, 2 / 3, 1.0]), np.array([2.0, 2.0, 2.0, 2.0])).round(3)
    array([0.   , 0.333, 0.5  , 1.   ])
    """
    return np.asarray(scores / (scores + level * (1.0 - scores)))

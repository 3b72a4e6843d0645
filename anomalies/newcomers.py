"""What the fleet's prior says of a sensor's first readings, beside the other rungs. Pure.

A prior serves readings that were measured after it was made, and of those a sensor's first ROWS. So
nothing that was scored before it existed is ever scored by it, whenever a late reading comes: which
prior judges a reading follows from what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomalies import alarm_rate
from anomalies.scored import FLEET, LOCAL, ByFleet, Scored
from anomalies.stretch import Stretch
from mlops.conditioned import Conditions
from mlops.detectors import fleet
from mlops.detectors.fleet import Judged, Prior
from mlops.detectors.newcomer import OTHER_RHYTHM, ROWS
from mlops.windows import IntArray
from sensors.series import FloatArray, TimeArray

# Of the false alarms that the sensor can bear; the other rungs give theirs.
SHARE = 0.5
_A_MONTH_ROWS = alarm_rate.DAYS * 86_400 / alarm_rate.REFERENCE_INTERVAL_S


@dataclass(frozen=True, slots=True)
class Fleet:
    """A prior as it is stored. since: event time from which it serves."""

    name: str
    version: int
    since: np.datetime64
    prior: Prior


def serves(stretch: Stretch, own: Fleet) -> NDArray[np.bool_]:
    """Which of the rows to be scored it judges, (n,)."""
    rows = np.arange(stretch.first, len(stretch.series))
    interval = alarm_rate.usual_intervals(stretch.series.times, stretch.first)
    ratio = np.where(np.isfinite(interval), interval / own.prior.interval_s, 1.0)
    alike = (ratio < OTHER_RHYTHM) & (ratio > 1 / OTHER_RHYTHM)
    return (rows < ROWS) & alike & (_micros(stretch.times) >= own.since)


def with_fleet(scored: Scored, stretch: Stretch, own: Fleet) -> Scored:
    """The higher of both scores for each row, and which rung serves."""
    served = serves(stretch, own)
    if not served.any():
        return scored
    judged = _judged(stretch, own.prior)
    scores = np.where(served, scores_of(judged, scored.decades, own.prior), 0.0)
    by_fleet = scores > scored.scores
    return replace(
        scored,
        scores=np.where(by_fleet, scores, scored.scores),
        physical=scored.physical & ~by_fleet,
        rungs=np.where(by_fleet, FLEET, scored.rungs).astype(np.int8),
        serving=np.where(served & (scored.serving < LOCAL), FLEET, scored.serving).astype(np.int8),
        by_core=None if scored.by_core is None else scored.by_core & ~by_fleet,
        fleet=ByFleet(own.name, own.version, judged),
    )


def score_again(stretch: Stretch, prior: Prior, decades: FloatArray) -> float:
    """The score that a prior gives to the first row of a stretch that is to be scored."""
    return float(scores_of(_judged(stretch, prior), decades, prior)[0])


def scores_of(judged: Judged, decades: FloatArray, prior: Prior) -> FloatArray:
    """Shape (n,), in [0, 1): 0.5 where the newcomer may alarm.

    decades: shape (n,); see alarm_rate.
    """
    level = prior.level(SHARE * 10.0**decades * ROWS / _A_MONTH_ROWS)
    return np.asarray(judged.largest / (judged.largest + level))


def _judged(stretch: Stretch, prior: Prior) -> Judged:
    """Of the rows to be scored, by what each is compared with; all of a sensor's readings are in
    the series wherever a row is one of its first ROWS."""
    stop = min(len(stretch.series), ROWS)
    values, first = stretch.series.values[:stop], min(stretch.first, stop)
    parts = [
        (rows[new:] - stretch.first, fleet.judge(values[rows], new, prior))
        for rows, new in _compared(stretch.conditions, first, stop)
    ]
    return fleet.placed(parts, len(stretch.times))


def _compared(conditions: Conditions, first: int, stop: int) -> Iterator[tuple[IntArray, int]]:
    """Rows that are compared with those before them, and how many of these are context: the healthy
    ones with each other, those of a fault with the healthy ones before and each other."""
    healthy = np.flatnonzero(conditions.healthy(0, stop))
    yield healthy, int(np.searchsorted(healthy, first))
    if conditions.faulty is None:
        return
    edges = np.flatnonzero(np.diff(conditions.faulty[:stop], prepend=False, append=False))
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if end > first:
            rows = np.flatnonzero(conditions.peers(0, end - 1))
            yield rows, int(np.searchsorted(rows, max(begin, first)))


def _micros(times: TimeArray) -> TimeArray:
    return times.astype("datetime64[us]")

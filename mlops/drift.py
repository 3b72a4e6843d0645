"""Whether a sensor reads otherwise than it used to, at the same hours of the day. Pure.

What is compared are deviations from the usual value of the hour, so that a day's shape is no drift.
A drift is a new state that lasts: its recent part agrees with itself. What is still moving, or has
lost its shape, is no drift but a matter for detection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.steps import Steps
from sensors.series import FloatArray

RECENT = 72  # steps
FEWEST = 96  # measured steps of the past that is compared with
BINS = 10
LARGE_PSI = 0.25  # what is called a significant change: Siddiqi (2006), Credit Risk Scorecards
# A recent part whose halves lie further apart than this share of its shift is still moving, and one
# that scatters this many times as much as before is not the same signal.
STILL_MOVING, SCATTERS = 0.5, 3.0
NO_CORRELATION = 0.05


@dataclass(frozen=True, slots=True)
class Compared:
    """shift: of the median, in the sensor's unit; psi: population stability index; p: of a
    Kolmogorov-Smirnov test, two-sided; settled: the recent part agrees with itself."""

    shift: float
    psi: float
    p: float
    settled: bool


def compare(steps: Steps, recent: int = RECENT) -> Compared | None:
    """The last `recent` steps against all before; None where either was measured too little."""
    off = _deviations(steps, recent)
    older, newer = off[:-recent], off[-recent:]
    past, now = older[np.isfinite(older)], newer[np.isfinite(newer)]
    if len(past) < FEWEST or len(now) < recent // 2:
        return None
    shift = float(np.median(now) - np.median(past))
    return Compared(shift, psi(past, now), _ks_p(past, now), _settled(past, now, shift))


def psi(past: FloatArray, now: FloatArray) -> float:
    """Population stability index over the tenths of the past; 0 where both are alike.

    >>> psi(np.arange(100.0), np.arange(100.0)) < 0.01
    True
    """
    edges = np.unique(np.quantile(past, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = [
        (np.bincount(np.searchsorted(edges, each), minlength=len(edges) + 1) + 0.5)
        / (len(each) + 0.5 * (len(edges) + 1))
        for each in (past, now)
    ]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def rejected(p: FloatArray, rate: float = 0.01) -> NDArray[np.bool_]:
    """Which of many tests are significant, so that of those so many are false at most.

    Source: Benjamini & Hochberg (1995).

    >>> rejected(np.array([0.001, 0.2, 0.011, 0.9]), rate=0.05)
    array([ True, False,  True, False])
    """
    order = np.argsort(p)
    below = p[order] <= rate * np.arange(1, len(p) + 1) / max(len(p), 1)
    found = np.zeros(len(p), dtype=bool)
    if below.any():
        found[order[: int(np.flatnonzero(below)[-1]) + 1]] = True
    return found


def _deviations(steps: Steps, recent: int) -> FloatArray:
    """From the past's median of the same place in the season; NaN where nothing was measured."""
    values = np.where(steps.known, steps.values, np.nan)
    place = np.arange(len(values)) % steps.season
    usual = np.full(steps.season, np.nan)
    for each in range(steps.season):
        past = values[:-recent][place[: len(values) - recent] == each]
        past = past[np.isfinite(past)]
        if len(past):
            usual[each] = np.median(past)
    found: FloatArray = values - usual[place]
    return found


def _ks_p(past: FloatArray, now: FloatArray) -> float:
    """The asymptotic p, with as many samples as there are independent ones."""
    both = np.sort(np.concatenate([past, now]))
    distance = np.abs(
        np.searchsorted(np.sort(past), both, "right") / len(past)
        - np.searchsorted(np.sort(now), both, "right") / len(now)
    ).max()
    # The past tells it for both: a shift within the recent part would look like dependence.
    dependence = _dependence(past)
    n, m = len(past) / dependence, len(now) / dependence
    z = float(distance) * math.sqrt(n * m / (n + m))
    terms = np.arange(1, 101)
    return float(np.clip(2 * np.sum((-1.0) ** (terms - 1) * np.exp(-2 * (terms * z) ** 2)), 0, 1))


def _dependence(values: FloatArray) -> float:
    """How many values in a row say as much as one: 1 + 2 times the sum of their correlations, up to
    the first that is none any more. Source: Sokal (1997), integrated autocorrelation time."""
    off = values - values.mean()
    size = float(off @ off)
    total = 1.0
    for lag in range(1, len(values) // 4 if size > 0 else 0):
        correlation = float(off[lag:] @ off[:-lag]) / size
        if correlation < NO_CORRELATION:
            break
        total += 2 * correlation
    return total


def _settled(past: FloatArray, now: FloatArray, shift: float) -> bool:
    half = len(now) // 2
    moved = abs(float(np.median(now[half:]) - np.median(now[:half])))
    usual = float(np.std(past))
    scatters = float(np.std(now)) > SCATTERS * usual if usual > 0 else False
    return moved <= STILL_MOVING * abs(shift) and not scatters

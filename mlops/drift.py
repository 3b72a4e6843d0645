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
from scipy.stats import t as student

from mlops.forecasting.steps import Steps
from sensors.series import FloatArray

RECENT = 72  # steps
FEWEST = 96  # measured steps of the past that is compared with
FEWEST_STRETCHES = 4  # as long as the recent one
BINS = 10
LARGE_PSI = 0.25  # what is called a significant change: Siddiqi (2006), Credit Risk Scorecards
# A recent part whose halves lie further apart than this share of its shift is still moving, and one
# that scatters this many times as much as before is not the same signal.
STILL_MOVING, SCATTERS = 0.5, 3.0
NO_CORRELATION = 0.05


@dataclass(frozen=True, slots=True)
class Compared:
    """shift: of the median, in the sensor's unit; psi: population stability index; p: of a
    Kolmogorov-Smirnov and a t-test, two-sided; settled: the recent part agrees with itself."""

    shift: float
    psi: float
    p: float
    settled: bool


def compare(steps: Steps, recent: int = RECENT) -> Compared | None:
    """The last `recent` steps against what was before; None where either was measured too little.

    A season is left out between the two, so that of the looks at a change, one a season, there is
    one at which the past has nothing of the new state and the recent part nothing else.
    """
    past_ends = max(len(steps) - recent - steps.season, 0)
    off = _deviations(steps, past_ends)
    older, newer = off[:past_ends], off[-recent:]
    past, now = older[np.isfinite(older)], newer[np.isfinite(newer)]
    if len(past) < FEWEST or len(now) < recent // 2:
        return None
    shift = float(np.median(now) - np.median(past))
    # Two tests of one question: the smaller p counts twice (Bonferroni).
    p = min(1.0, 2 * min(_ks_p(past, now), _moved_p(older, now)))
    return Compared(shift, psi(past, now), p, _settled(past, now, shift))


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


def _deviations(steps: Steps, past_ends: int) -> FloatArray:
    """From the past's median of the same place in the season; NaN where nothing was measured."""
    values = np.where(steps.known, steps.values, np.nan)
    place = np.arange(len(values)) % steps.season
    usual = np.full(steps.season, np.nan)
    for each in range(steps.season):
        past = values[:past_ends][place[:past_ends] == each]
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


def _moved_p(older: FloatArray, now: FloatArray) -> float:
    """Of a t-test, two-sided: how far its median lies from those of stretches as long before it.

    The other test knows ranks alone: where readings hang together for days, there are too few of
    them to tell a large shift from chance.
    """
    stretches = len(older) // RECENT
    if stretches < FEWEST_STRETCHES:
        return 1.0
    cut = older[len(older) - stretches * RECENT :].reshape(stretches, RECENT)
    enough = np.isfinite(cut).sum(axis=1) >= RECENT // 2
    medians = np.nanmedian(cut[enough], axis=1)
    n = len(medians)
    if n < FEWEST_STRETCHES:
        return 1.0
    spread = float(medians.std(ddof=1)) * math.sqrt(1 + 1 / n)
    off = abs(float(np.median(now)) - float(medians.mean()))
    if spread == 0:
        return 1.0 if off == 0 else 0.0
    return float(2 * student.sf(off / spread, n - 1))


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

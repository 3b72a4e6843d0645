"""Rows that would alarm, looked at again: by the time of day, by the machine's modes, by age. Pure.

Only what a rung says of the machine is looked at: a limit is a limit, an instrument that is stuck
or silent is no habit, and the core knows the whole past by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from anomalies import alarm_rate, scoring
from anomalies.detection_policy import DetectionPolicy
from anomalies.familiar import modes as modes_of
from anomalies.familiar.hours import DAY_HOURS, DAYS, DAYS_ALIKE, HOUR_US, Memory, Window
from anomalies.familiar.modes import Heaps, Modes
from anomalies.scoring import CHAMPION, LIMITS, RUNGS, STATISTICAL, Scored, Stretch, levels_of
from mlops import features
from mlops.detectors.base import Detector
from mlops.detectors.statistical import Statistical
from sensors.clocks import NO_CHANGES, IntArray
from sensors.series import FloatArray, Series
from sensors.slices import Buckets, Level, Plan, combined

# What a sensor shows that has not lived through two days: all else may be the time of day.
SHARP = ("spike", "spread", *sorted(features.INSTRUMENT))
_SHARP = np.isin(features.FEATURES, SHARP)
_CLOCK = [features.FEATURES.index(name) for name in ("gap", "rhythm")]
_TO_NOISE = 1.4826 / np.sqrt(2)  # of the median step


@dataclass(frozen=True, slots=True)
class Look:
    """How a row was looked at: among the readings of its mode; without what a day may explain."""

    modes: Modes | None = None
    young: bool = False

    def as_dict(self) -> dict[str, object]:
        """For a receipt; `of` reads it again."""
        own = [self.modes.lower, self.modes.upper] if self.modes else None
        return {"modes": own, "young": self.young}

    @classmethod
    def of(cls, stated: dict[str, object] | None) -> Look:
        known = stated or {}
        levels = known.get("modes")
        found = Modes(*levels) if isinstance(levels, list) else None
        return cls(found, bool(known.get("young")))


PLAIN = Look()


@dataclass(frozen=True, slots=True)
class Past:
    """What is remembered of a sensor.

    hours: of one hour each, oldest first, up to the newest row. only_rises: a fall of such a sensor
    is no fault of the machine. changes: of the site's clock, as sensors.clocks gives them.
    """

    hours: Buckets
    only_rises: bool
    changes: IntArray = field(default_factory=lambda: NO_CHANGES)

    @classmethod
    def of(cls, series: Series, *, only_rises: bool, changes: IntArray = NO_CHANGES) -> Past:
        """Of a sensor whose readings are all at hand, oldest first."""
        micros = series.times.astype("datetime64[us]").astype(np.int64)
        own = series.values
        each = Buckets(micros, own, own, own, np.ones(len(own), np.int64))
        return cls(combined([each], Plan(Level.HOUR, 0, HOUR_US)), only_rises, changes)

    @property
    def memory(self) -> Memory:
        return Memory.of(self.hours)


def is_due(scored: Scored, policy: DetectionPolicy) -> bool:
    """Whether a rung finds any row odd."""
    return bool(np.any((scored.scores >= policy.alarm_level) & (scored.rungs != LIMITS)))


def look_again(stretch: Stretch, scored: Scored, past: Past, policy: DetectionPolicy) -> Scored:
    """The same, with 0 for what is familiar and other scores for what was looked at otherwise."""
    rows = _odd(scored, policy)
    if not len(rows):
        return scored
    memory, runs = past.memory, Heaps.of_runs(stretch.series.values)
    scores, X, looks = scored.scores.copy(), scored.features.copy(), dict(scored.looks)
    for row in rows.tolist():
        look = _look(stretch, stretch.first + row, past, memory, runs)
        if look is None:
            scores[row] = 0.0
        elif look != PLAIN:
            X[row] = looked_at(X[row], stretch, stretch.first + row, look)
            looks[row] = look
    again = np.array(sorted(looks.keys() - scored.looks.keys()), dtype=np.int64)
    for judge, own in _by_judge(scored, again):
        own_rows = again[own]
        level = levels_of(scored.serving[own_rows], scored.decades[own_rows])
        scores[own_rows] = alarm_rate.at_level(judge.score(X[own_rows]), level)
    return replace(scored, scores=scores, features=X, looks=looks)


def looked_at(own: FloatArray, stretch: Stretch, at: int, look: Look) -> FloatArray:
    """Features of the reading `at` of the series, whose own are given, shape (d,), by a look."""
    if look.modes is not None:
        own = _within_mode(own, stretch, at, look.modes)
    return np.where(_SHARP, own, 0.0) if look.young else own


def _odd(scored: Scored, policy: DetectionPolicy) -> np.ndarray:
    """The rows that a rung finds odd of the machine, shape (k,)."""
    by_rung = (scored.scores >= policy.alarm_level) & (scored.rungs != LIMITS)
    rows = np.flatnonzero(by_rung)
    odd = np.zeros(len(rows), bool)
    for judge, own in _by_judge(scored, rows):
        shares = judge.contributions(scored.features[rows[own]])
        odd[own] = [features.nature(share) == "machine" for share in shares]
    return rows[odd]


def _by_judge(scored: Scored, rows: np.ndarray) -> Iterator[tuple[Detector, np.ndarray]]:
    """Each judge with the places of the rows that it judged."""
    firsts = np.array([first for first, _ in scored.judges])
    owner = np.searchsorted(firsts, rows, side="right") - 1
    for one in np.unique(owner).tolist():
        yield scored.judges[one][1], np.flatnonzero(owner == one)


def _look(stretch: Stretch, at: int, past: Past, memory: Memory, runs: Heaps) -> Look | None:
    """How to look at the reading `at` of the series; None where it is familiar. runs: of the
    series."""
    window, days = window_at(stretch, at), memory.days_before(_hour(stretch, at))
    # On the second day, once will do.
    if memory.days_like(window, past.changes) >= min(DAYS_ALIKE, max(1, days)):
        return None
    modes = _modes(stretch, at, past, runs) if stretch.states is None else None
    if modes is not None and memory.rested_like(window, modes.lower):
        return None
    return Look(modes if modes and _has_both(stretch, at, modes) else None, days < DAYS_ALIKE)


def window_at(stretch: Stretch, at: int) -> Window:
    """The hour of readings that ends with the one `at`, of those that this is compared with."""
    times, values = stretch.series.times, stretch.series.values
    first = int(np.searchsorted(times, times[at] - np.timedelta64(HOUR_US, "us"), side="right"))
    own = values[first : at + 1][stretch.conditions.peers(first, at)]
    return Window(
        hour=_hour(stretch, at),
        low=float(own.min()),
        high=float(own.max()),
        mean=float(own.mean()),
        rows=len(own),
        noise=_noise(values[max(0, at - features.CONTEXT_ROWS) : at]),
    )


def _hour(stretch: Stretch, at: int) -> int:
    micros = stretch.series.times[at].astype("datetime64[us]").astype(np.int64)
    return int(micros // HOUR_US)


def _noise(before: FloatArray) -> float:
    """Of one reading, by how far readings jump; a thousandth of the value where they do not."""
    steps = np.abs(np.diff(before))
    moving = steps[steps > 0]
    if not len(moving):
        return 1e-3 * abs(float(before[-1])) + 1e-9 if len(before) else 0.0
    return float(max(_TO_NOISE * np.median(steps), moving.min() / 2))


def _modes(stretch: Stretch, at: int, past: Past, runs: Heaps) -> Modes | None:
    """As the readings and hours before a reading show them; None if it shows one mode only."""
    first = max(0, at - features.CONTEXT_ROWS + 1)
    before = stretch.series.values[first:at]
    recent = runs.within(first, at)
    if stretch.conditions:
        before = before[stretch.conditions.healthy(first, at)]
        recent = Heaps.of_runs(before)
    age = _hour(stretch, at) - past.hours.begins // HOUR_US
    known = past.hours.take((age > 0) & (age <= DAYS * DAY_HOURS))
    hours = Heaps(known.mean, known.maximum - known.minimum)
    found = modes_of.learn(hours, recent)
    if found is None and past.only_rises and len(before):
        usual = float(np.quantile(np.concatenate([hours.means, before]), 0.75))
        found = modes_of.at_rest(usual) if usual > 0 else None
    return found


def _has_both(stretch: Stretch, at: int, modes: Modes) -> bool:
    """Whether the context of a reading knows both modes."""
    own = stretch.series.values[max(0, at - features.CONTEXT_ROWS + 1) : at + 1]
    return bool((own <= modes.lower).any() and (own >= modes.upper).any())


def _within_mode(own: FloatArray, stretch: Stretch, at: int, modes: Modes) -> FloatArray:
    """Features among the readings of the context that are in the same mode; 0 near a change."""
    past = slice(max(0, at - features.CONTEXT_ROWS + 1), at + 1)
    times, values = stretch.series.times[past], stretch.series.values[past]
    each = modes_of.modes_at(times, values, modes)
    if each[-1] == modes_of.CHANGING:
        return np.zeros_like(own)
    same = (each == each[-1]) & stretch.conditions.peers(past.start, at)
    found: FloatArray = features.compute(times[same], values[same], int(same.sum()) - 1)[0]
    found[_CLOCK] = own[_CLOCK]
    return found


def score_again(
    stretch: Stretch, rung: str, champion: Detector | None, policy: DetectionPolicy, look: Look
) -> float:
    """The score that `rung` gives to the first scored row of a stretch by this look."""
    if look == PLAIN:
        return scoring.score_again(stretch, rung, champion, policy)
    by_champion = champion if rung == RUNGS[CHAMPION] else None
    scored = scoring.score_stretches([stretch], by_champion, policy)[0]
    judge = Statistical() if rung == RUNGS[STATISTICAL] else scored.judge_of(0)
    X = looked_at(scored.features[0], stretch, stretch.first, look)
    level = levels_of(np.full(1, RUNGS.index(rung), np.int8), scored.decades[:1])
    return float(alarm_rate.at_level(judge.score(X[np.newaxis]), level)[0])

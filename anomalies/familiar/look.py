"""Rows that would alarm, looked at again: by the time of day, by the machine's modes, by age. Pure.

Only what a rung says of the machine is looked at: a limit is a limit, an instrument that is stuck
or silent is no habit, and the core knows the whole past by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from anomalies import alarm_rate, judges, scoring
from anomalies.detection_policy import DetectionPolicy
from anomalies.familiar import modes as modes_of
from anomalies.familiar.hours import DAY_HOURS, DAYS, DAYS_ALIKE, HOUR_US, Memory
from anomalies.familiar.lately import hours_at, near_each_other, windows_at
from anomalies.familiar.modes import Heaps, Modes
from anomalies.scored import CHAMPION, LIMITS, RUNGS, STATISTICAL, Scored
from anomalies.scoring import levels_of
from anomalies.stretch import Stretch
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
    return bool(_by_rung(scored, policy).any())


def _by_rung(scored: Scored, policy: DetectionPolicy) -> NDArray[np.bool_]:
    """Rows that a rung finds odd, shape (n,)."""
    return np.asarray((scored.scores >= policy.alarm_level) & (scored.rungs != LIMITS))


@dataclass(frozen=True, slots=True)
class Asked:
    """A sensor that is to be looked at again."""

    stretch: Stretch
    scored: Scored
    past: Past
    policy: DetectionPolicy


def look_again(asked: Sequence[Asked]) -> list[Scored]:
    """What was scored, with 0 for what is familiar and other scores for what was looked at
    otherwise. One call of each model for all sensors together."""
    seen = [_seen(one, rows) for one, rows in zip(asked, _odd(asked), strict=True)]
    rows = [(scored, np.array(sorted(scored.looks), dtype=np.int64)) for scored in seen]
    return [
        _scored_again(scored, own, scores)
        for (scored, own), scores in zip(rows, judges.scores(rows), strict=True)
    ]


def _seen(one: Asked, rows: IntArray) -> Scored:
    """With 0 for what is familiar, and the features of those of its odd rows that were looked at
    otherwise."""
    scored, first = one.scored, one.stretch.first
    if not len(rows):
        return scored
    scores, X, looks = scored.scores.copy(), scored.features.copy(), dict[int, Look]()
    for row, look in zip(rows.tolist(), _looks(one.stretch, first + rows, one.past), strict=True):
        if look is None:
            scores[row] = 0.0
        elif look != PLAIN:
            X[row] = looked_at(X[row], one.stretch, first + row, look)
            looks[row] = look
    return replace(scored, scores=scores, features=X, looks=looks)


def _scored_again(scored: Scored, rows: IntArray, own: FloatArray) -> Scored:
    """own: what their judges say of these rows, shape (k,)."""
    scores = scored.scores.copy()
    level = levels_of(scored.serving[rows], scored.decades[rows])
    scores[rows] = alarm_rate.at_level(own, level)
    return replace(scored, scores=scores)


def looked_at(own: FloatArray, stretch: Stretch, at: int, look: Look) -> FloatArray:
    """Features of the reading `at` of the series, whose own are given, shape (d,), by a look."""
    if look.modes is not None:
        own = _within_mode(own, stretch, at, look.modes)
    return np.where(_SHARP, own, 0.0) if look.young else own


def _odd(asked: Sequence[Asked]) -> list[IntArray]:
    """Of each the rows that a rung finds odd of the machine, shape (k,)."""
    rows = [(one.scored, np.flatnonzero(_by_rung(one.scored, one.policy))) for one in asked]
    return [
        own[~features.of_instrument(shares)]
        for (_, own), shares in zip(rows, judges.shares(rows), strict=True)
    ]


def _looks(stretch: Stretch, at: IntArray, past: Past) -> list[Look | None]:
    """How to look at readings of the series; None for those that are familiar. at: shape (k,)."""
    windows, memory = windows_at(stretch, at), past.memory
    days = memory.days_before(hours_at(stretch, at))
    # On the second day, once will do.
    enough = np.minimum(DAYS_ALIKE, np.maximum(1, days))
    new = np.flatnonzero(memory.days_like(windows, past.changes) < enough)
    found: list[Look | None] = [None] * len(at)
    highs = [windows[i].high for i in new.tolist()]
    for i, modes in zip(new.tolist(), _modes(stretch, at[new], highs, past), strict=True):
        if modes is None or not memory.rested_like(windows[i], modes.lower):
            own = modes if modes and _has_both(stretch, int(at[i]), modes) else None
            found[i] = Look(own, bool(days[i] < DAYS_ALIKE))
    return found


def _modes(
    stretch: Stretch, at: IntArray, highs: Sequence[float], past: Past
) -> list[Modes | None]:
    """As the readings and hours before each reading show them; None where they show one mode only,
    or where the machine's states are told.

    highs: the highest reading of the hour that ends with each.
    """
    if stretch.states is not None:
        return [None] * len(at)
    known = _known(stretch, at, past)
    hours = Heaps(past.hours.mean, past.hours.maximum - past.hours.minimum)
    found = (_learnt_alone if stretch.conditions else _learnt)(stretch, at, hours, known)
    if not past.only_rises:
        return found
    return [
        modes or _at_rest(stretch, row, high, hours.means[begin:end])
        for modes, row, high, (begin, end) in zip(
            found, at.tolist(), highs, known.tolist(), strict=True
        )
    ]


def _known(stretch: Stretch, at: IntArray, past: Past) -> IntArray:
    """Of each reading the first of the hours that are remembered then, and the one after the last:
    shape (k, 2)."""
    hours, numbers = hours_at(stretch, at), past.hours.begins // HOUR_US
    edges = (hours - DAYS * DAY_HOURS, hours)
    return np.stack([np.searchsorted(numbers, edge) for edge in edges], axis=1)


def _learnt(stretch: Stretch, at: IntArray, hours: Heaps, known: IntArray) -> list[Modes | None]:
    """Of readings that are compared with all before them."""
    values, found = stretch.series.values, list[Modes | None]()
    for near in near_each_other(at):
        rows = at[near]
        first = np.maximum(0, rows - features.CONTEXT_ROWS + 1)
        runs = Heaps.of_runs(values[first[0] : rows[-1]])
        stop = np.maximum(first, rows - modes_of.RUN_ROWS + 1)
        spans = np.column_stack([known[near], first - first[0], stop - first[0]])
        found += modes_of.learn_each(hours, runs, spans)
    return found


def _learnt_alone(
    stretch: Stretch, at: IntArray, hours: Heaps, known: IntArray
) -> list[Modes | None]:
    """Of readings that are compared with some of those before them only."""
    found = list[Modes | None]()
    for row, own in zip(at.tolist(), known, strict=True):
        runs = Heaps.of_runs(_healthy_before(stretch, row))
        found += modes_of.learn_each(hours, runs, np.array([[*own, 0, len(runs.means)]]))
    return found


def _healthy_before(stretch: Stretch, at: int) -> FloatArray:
    """The readings of the context of the one `at` that it is compared with."""
    first = max(0, at - features.CONTEXT_ROWS + 1)
    before = stretch.series.values[first:at]
    return before[stretch.conditions.healthy(first, at)] if stretch.conditions else before


def _at_rest(stretch: Stretch, at: int, high: float, hours: FloatArray) -> Modes | None:
    """What rest would be, by what was usual; None where nothing near `at` comes near to it, for
    then it makes no difference."""
    before, lowest = _healthy_before(stretch, at), _context(stretch, at).min()
    most = max(before.max(initial=0.0), hours.max(initial=0.0))
    if not len(before) or min(high, lowest) > modes_of.AT_REST * most:
        return None
    usual = float(np.quantile(np.concatenate([hours, before]), 0.75))
    return modes_of.at_rest(usual) if usual > 0 else None


def _context(stretch: Stretch, at: int) -> FloatArray:
    return stretch.series.values[max(0, at - features.CONTEXT_ROWS + 1) : at + 1]


def _has_both(stretch: Stretch, at: int, modes: Modes) -> bool:
    """Whether the context of a reading knows both modes."""
    own = _context(stretch, at)
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
    judge = Statistical() if rung == RUNGS[STATISTICAL] else scored.judges[0][1]
    X = looked_at(scored.features[0], stretch, stretch.first, look)
    level = levels_of(np.full(1, RUNGS.index(rung), np.int8), scored.decades[:1])
    return float(alarm_rate.at_level(judge.score(X[np.newaxis]), level)[0])

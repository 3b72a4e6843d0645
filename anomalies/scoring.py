"""From features to scores. Pure: arrays in, arrays and dataclasses out.

A score at row i depends on rows up to i alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomalies import alarm_rate
from anomalies.detection_policy import DetectionPolicy
from anomalies.scored import CHAMPION, LIMITS, LOCAL, RUNGS, STATISTICAL, RungArray, Scored
from anomalies.stretch import Stretch
from mlops import features
from mlops.conditioned import Conditions
from mlops.detectors import limits
from mlops.detectors.base import Detector
from mlops.detectors.local import MIN_HISTORY_ROWS, fit_local
from mlops.detectors.statistical import Statistical
from sensors.series import FloatArray, TimeArray

if TYPE_CHECKING:
    # Web processes read this module, and the core's compiled code takes a second to load.
    from mlops.detectors.streaming.core import Judged as CoreJudged

_BY_SCALES = Statistical()


def context_rows(policy: DetectionPolicy, *, champion: bool) -> int:
    """Readings before a row (before its block, for the local rung) that its score depends on."""
    own = features.CONTEXT_ROWS - 1
    return own if champion else own + policy.local_train_rows


def block_start(times: TimeArray, policy: DetectionPolicy) -> TimeArray:
    """Start of the local model's block that each time lies in.

    >>> block_start(np.array(["2026-01-02T07:30"], "datetime64[us]"), DetectionPolicy())
    array(['2026-01-02T06:00:00.000000'], dtype='datetime64[us]')
    """
    length = np.timedelta64(policy.local_block_hours, "h").astype("timedelta64[us]")
    since_epoch = times.astype("datetime64[us]") - np.datetime64(0, "us")
    starts: TimeArray = times.astype("datetime64[us]") - since_epoch % length
    return starts


def score_stretches(
    stretches: Sequence[Stretch], champion: Detector | None, policy: DetectionPolicy
) -> list[Scored]:
    """Score many sensors that share a champion (or have none), with one call of its model."""
    if not stretches:
        return []
    if champion is None:
        return [_score_locally(stretch, policy) for stretch in stretches]
    computed = [stretch.features_from(stretch.first) for stretch in stretches]
    together = champion.score(np.concatenate(computed))
    parts = np.split(together, np.cumsum([len(X) for X in computed])[:-1])
    return [
        _combine(stretch, X, policy, _by_champion(stretch, X, champion, scores))
        for stretch, X, scores in zip(stretches, computed, parts, strict=True)
    ]


Judged = tuple[FloatArray, RungArray, tuple[tuple[int, Detector], ...]]


def _by_champion(stretch: Stretch, X: FloatArray, champion: Detector, scores: FloatArray) -> Judged:
    """The champion's scores where the sensor has history enough, the statistical rung's before."""
    young = max(0, min(len(X), features.MIN_ROWS - 1 - stretch.first))
    scores = np.concatenate([_BY_SCALES.score(X[:young]), scores[young:]])
    rungs = np.full(len(X), CHAMPION, np.int8)
    rungs[:young] = STATISTICAL
    judges: tuple[tuple[int, Detector], ...] = ((0, _BY_SCALES), (young, champion))
    return scores, rungs, judges if young else judges[1:]


def _score_locally(stretch: Stretch, policy: DetectionPolicy) -> Scored:
    """A local model for each block of rows, the statistical rung where history is too short."""
    learnt = _Learnt.of(stretch, policy)
    X = learnt.rows(stretch.first, len(stretch.series))
    scores = np.empty(len(X))
    rungs = np.empty(len(X), np.int8)
    judges: list[tuple[int, Detector]] = []
    for begin, end, known in _blocks(stretch, policy):
        judge = learnt.model(known, policy)
        scores[begin:end] = judge.score(X[begin:end])
        rungs[begin:end] = STATISTICAL if isinstance(judge, Statistical) else LOCAL
        judges.append((begin, judge))
    return _combine(stretch, X, policy, (scores, rungs, tuple(judges)))


def _blocks(stretch: Stretch, policy: DetectionPolicy) -> Iterator[tuple[int, int, int]]:
    """(first scored row, row after the last, readings known before) of each local model's block."""
    starts = block_start(stretch.times, policy)
    is_first = np.ones(len(starts), dtype=bool)
    is_first[1:] = starts[1:] != starts[:-1]
    begins = np.flatnonzero(is_first).tolist()
    for begin, end in zip(begins, [*begins[1:], len(starts)], strict=True):
        yield begin, end, int(np.searchsorted(stretch.series.times, starts[begin]))


@dataclass(frozen=True, slots=True)
class _Learnt:
    """Features of the rows of a series from `since` on: those to score and those to learn from."""

    since: int
    X: FloatArray
    conditions: Conditions

    @classmethod
    def of(cls, stretch: Stretch, policy: DetectionPolicy) -> _Learnt:
        block = block_start(stretch.times[:1], policy)
        known = int(np.searchsorted(stretch.series.times, block)[0]) if len(block) else 0
        since = max(0, min(stretch.first, known - policy.local_train_rows))
        return cls(since, stretch.features_from(since), stretch.conditions)

    def rows(self, first: int, stop: int) -> FloatArray:
        return self.X[first - self.since : stop - self.since]

    def model(self, known: int, policy: DetectionPolicy) -> Detector:
        """Of the newest of the `known` readings before a block; statistical if they are too few."""
        if known < policy.local_rows:
            return _BY_SCALES
        first = max(features.MIN_ROWS, known - policy.local_train_rows)
        rows = self.rows(first, known)[self.conditions.healthy(first, known)]
        return fit_local(rows) if len(rows) >= MIN_HISTORY_ROWS else _BY_SCALES


def _combine(stretch: Stretch, X: FloatArray, policy: DetectionPolicy, judged: Judged) -> Scored:
    scores, rungs, judges = judged
    rows = np.arange(stretch.first, stretch.first + len(X)) + 1
    unknown = rows < policy.statistical_rows
    scores, rungs = np.where(unknown, 0.0, scores), np.where(unknown, LIMITS, rungs).astype(np.int8)
    decades = decades_of(stretch, policy)
    scores = alarm_rate.at_level(scores, levels_of(rungs, decades))
    breach, physical = _breach(stretch)
    by_limits = breach > scores
    return Scored(
        scores=np.where(by_limits, breach, scores),
        rungs=np.where(by_limits, LIMITS, rungs).astype(np.int8),
        features=X,
        physical=physical & by_limits,
        judges=judges,
        serving=rungs,
        decades=decades,
    )


def decades_of(stretch: Stretch, policy: DetectionPolicy) -> FloatArray:
    """How the share of readings that may alarm differs from the reference; see alarm_rate."""
    return alarm_rate.decades(stretch.series.times, stretch.first, policy.false_alarms)


def levels_of(rungs: RungArray, decades: FloatArray) -> FloatArray:
    own, champion = alarm_rate.own_level(decades), alarm_rate.champion_level(decades)
    return np.where(rungs == CHAMPION, champion, own)


def with_core(
    scored: Scored, core: CoreJudged, rarity: FloatArray, policy: DetectionPolicy
) -> Scored:
    """The higher of both scores for each row: a detector each, the rung's and the core's.

    rarity: folding.rarity(core).
    """
    own = core_scores(rarity, scored.decades, policy)
    by_core = own > scored.scores
    return replace(
        scored,
        scores=np.where(by_core, own, scored.scores),
        physical=scored.physical & ~by_core,
        rungs=np.where(by_core, STATISTICAL, scored.rungs).astype(np.int8),
        core=core,
        by_core=by_core,
    )


def core_scores(rarity: FloatArray, decades: FloatArray, policy: DetectionPolicy) -> FloatArray:
    """Rarity in the sensor's own past as a score: 0.5 where it may alarm; shape (n,)."""
    level = alarm_rate.core_level(decades, policy.core_rarity)
    return np.asarray(rarity / (rarity + level))


def _breach(stretch: Stretch) -> tuple[FloatArray, NDArray[np.bool_]]:
    own = stretch.limits
    return limits.score(
        stretch.values, own.physical_min, own.physical_max, own.alarm_low, own.alarm_high
    )


def score_again(
    stretch: Stretch, rung: str, champion: Detector | None, policy: DetectionPolicy
) -> float:
    """The score that `rung` gives to the first scored row of a stretch."""
    if rung == RUNGS[LIMITS]:
        return float(_breach(stretch)[0][0])
    if rung == RUNGS[LOCAL]:
        return float(_score_locally(stretch, policy).scores[0])
    judge = champion if champion is not None and rung == RUNGS[CHAMPION] else _BY_SCALES
    row = stretch.features_from(stretch.first)[:1]
    level = levels_of(np.full(1, RUNGS.index(rung), np.int8), decades_of(stretch, policy)[:1])
    return float(alarm_rate.at_level(judge.score(row), level)[0])

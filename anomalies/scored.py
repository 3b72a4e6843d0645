"""What scoring gives: a score and a rung for each reading, and the ranges that are anomalies. Pure.

One convention everywhere: a score is in [0, 1], higher is rarer, and 0.5 is the alarm level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomalies.detection_policy import DetectionPolicy
from mlops.detectors.base import Detector
from sensors.clocks import IntArray
from sensors.series import FloatArray

if TYPE_CHECKING:
    # Web processes read this module, and the core's compiled code takes a second to load.
    from anomalies.familiar.look import Look
    from mlops.detectors.fleet import Judged as FleetJudged
    from mlops.detectors.streaming.core import Judged as CoreJudged

RUNGS = ("limits", "fleet", "statistical", "local", "champion")
LIMITS, FLEET, STATISTICAL, LOCAL, CHAMPION = range(5)
SEVERITY_STEPS = (0.6, 0.7, 0.8, 0.9)

RungArray = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class ByFleet:
    """What a stored prior said of rows."""

    name: str
    version: int
    judged: FleetJudged


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of the rows of a stretch: shape (n,) each; features (n, d).

    rungs says which rung gave the score; judges[i] is the detector of each block of rows, as
    (first row, detector), so that any row can be explained by the detector that judged it.
    decades: of the share of readings that may alarm (alarm_rate).
    core: what the fold said beside the rungs; by_core: where that is the higher score. fleet: what
    a fleet's prior said of a newcomer; where that is the highest score the rung is FLEET.
    looks: of the rows that were judged by other features than their own, how; see familiar.look.
    """

    scores: FloatArray
    rungs: RungArray
    features: FloatArray
    physical: NDArray[np.bool_]
    judges: tuple[tuple[int, Detector], ...]
    serving: RungArray
    decades: FloatArray
    core: CoreJudged | None = None
    by_core: NDArray[np.bool_] | None = None
    fleet: ByFleet | None = None
    looks: Mapping[int, Look] = field(default_factory=dict)

    def by_fleet(self, row: int) -> ByFleet | None:
        return self.fleet if self.rungs[row] == FLEET else None

    def is_by_core(self, row: int) -> bool:
        return self.by_core is not None and bool(self.by_core[row])

    def is_by_judge(self, row: int) -> bool:
        """Whether its score is what a detector of features says of it."""
        return not self.is_by_core(row) and self.rungs[row] not in (FLEET, LIMITS)

    def judge_of(self, row: int) -> Detector:
        """The detector that judged a row (the limits aside)."""
        return self.judges[int(self.owners(np.array([row]))[0])][1]

    def owners(self, rows: IntArray) -> IntArray:
        """Which of `judges` judged each of these rows (the limits aside), shape (k,)."""
        firsts = np.array([first for first, _ in self.judges])
        return np.asarray(np.searchsorted(firsts, rows, side="right") - 1)


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive anomalous readings, as row numbers."""

    start: int
    peak: int
    end: int


def ranges(scores: FloatArray, policy: DetectionPolicy) -> list[Range]:
    """Runs of anomalous rows, those with small gaps between them joined.

    >>> ranges(np.array([0, 0.9, 0.2, 0.6, 0, 0]), DetectionPolicy(merge_gap_rows=2))
    [Range(start=1, peak=1, end=3)]
    """
    rows = np.flatnonzero(scores >= policy.alarm_level)
    if not len(rows):
        return []
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > policy.merge_gap_rows) + 1)
    return [Range(int(run[0]), int(run[np.argmax(scores[run])]), int(run[-1])) for run in runs]


def severity(score: float) -> int:
    """1 (just above the alarm level) to 5.

    >>> severity(0.5), severity(0.75), severity(1.0)
    (1, 3, 5)
    """
    return 1 + sum(score >= step for step in SEVERITY_STEPS)

"""How good scores are where the faults are known: figures, each with an interval. Pure.

An alarm is a run of alarmed rows, those few rows apart joined as production joins them. A fault is
found when an alarm overlaps it, an alarm is false when it overlaps none; nothing is point-adjusted.
Intervals come from drawing blocks of rows with replacement, of all streams alike; a block is cut
nowhere within a fault, and owns the faults and alarms that begin in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from anomalies.figures import Figure
from anomalies.labels import Interval, rows_of
from mlops import vus
from mlops.metrics import Counts, Rows, bootstrap_interval, by_overlap, episodes
from sensors.series import FloatArray, TimeArray

MONTH = np.timedelta64(30, "D")
SECOND = np.timedelta64(1, "s")
AT_ONCE = np.timedelta64(0, "s")
BLOCKS = 100  # about so many in all
LEAST_BLOCKS = 5  # with fewer there are no intervals
WIDEST_BUFFER = 1_000
INTERVAL = 0.9


@dataclass(frozen=True, slots=True)
class Judged:
    """One stream: times and scores of shape (n,), all faults, in order and apart; rows before
    `first` were for warming up, and of a fault that begins there only the rest is judged."""

    name: str
    times: TimeArray
    scores: FloatArray
    faults: tuple[Interval, ...]
    first: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """level: of an alarm; gap: rows between alarms that are one; early: how long before a fault
    begins an alarm counts as having foreseen it."""

    level: float = 0.5
    gap: int = 6
    early: np.timedelta64 = AT_ONCE


@dataclass(frozen=True, slots=True)
class Found:
    """delay: from the fault's start to the first alarm, negative for one before; lead: from that
    alarm to the fault's end; in seconds, NaN where it was missed. row: where the fault begins."""

    fault: Interval
    row: int
    delay: float
    lead: float

    @property
    def is_found(self) -> bool:
        return self.delay == self.delay


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one stream, its rows counted from the first that is judged.

    windows: the rows in which each fault may be found; healthy: seconds of each row outside of all
    of them, shape (n,).
    """

    name: str
    scores: FloatArray
    windows: tuple[Rows, ...]
    found: tuple[Found, ...]
    alarms: tuple[tuple[Rows, bool], ...]
    healthy: FloatArray

    @classmethod
    def of(cls, judged: Judged, rule: Rule) -> Outcome:
        times, scores = judged.times[judged.first :], judged.scores[judged.first :]
        faults = [
            replace(fault, start=max(fault.start, times[0]))
            for fault in judged.faults
            if len(times) and fault.end >= times[0]
        ]
        windows = [_window(times, fault, rule.early) for fault in faults]
        alarms = episodes(scores >= rule.level, rule.gap)
        return cls(
            judged.name,
            scores,
            tuple(windows),
            tuple(
                _found(times, fault, window, alarms)
                for fault, window in zip(faults, windows, strict=True)
            ),
            tuple((alarm, by_overlap([alarm], windows).false_alarms == 0) for alarm in alarms),
            _healthy(times, windows),
        )

    def cuts(self, least: int) -> vus.IntArray:
        """The block of each row, from 0; each is `least` rows long, or until its fault ends."""
        starts = np.zeros(len(self.scores), dtype=np.int64)
        row = least
        while row < len(starts):
            inside = next((last for first, last in self.windows if first < row <= last), row - 1)
            if (row := inside + 1) < len(starts):
                starts[row] = 1
            row += least
        return np.asarray(np.cumsum(starts))


def _window(times: TimeArray, fault: Interval, early: np.timedelta64) -> Rows:
    first, last = rows_of(times, fault)
    return min(first, int(np.searchsorted(times, fault.start - early))), last


def _found(times: TimeArray, fault: Interval, window: Rows, alarms: Sequence[Rows]) -> Found:
    first = next((a for a in alarms if by_overlap([a], [window]).found), None)
    row = int(np.searchsorted(times, fault.start))
    if first is None:
        return Found(fault, row, float("nan"), float("nan"))
    at = times[max(first[0], window[0])]  # one that stands already is no earlier than the window
    return Found(fault, row, _seconds(at - fault.start), _seconds(fault.end - at))


def _healthy(times: TimeArray, windows: Sequence[Rows]) -> FloatArray:
    usual = float(np.median(np.diff(times).astype(np.int64))) / 1e6 if len(times) > 1 else 0.0
    seconds = np.full(len(times), usual)
    for first, last in windows:
        seconds[first : last + 1] = 0.0
    return seconds


def _seconds(span: np.timedelta64) -> float:
    return float(span / SECOND)


@dataclass(frozen=True)
class Evaluation:
    """All streams together."""

    outcomes: tuple[Outcome, ...]

    @property
    def rows(self) -> int:
        return sum(len(each.scores) for each in self.outcomes)

    @property
    def found(self) -> list[Found]:
        return [found for each in self.outcomes for found in each.found]

    @property
    def counts(self) -> Counts:
        found = sum(each.is_found for each in self.found)
        false = sum(not true for each in self.outcomes for _, true in each.alarms)
        return Counts(found, len(self.found) - found, false)

    @property
    def sensor_months(self) -> float:
        """Outside of faults."""
        return float(sum(each.healthy.sum() for each in self.outcomes)) / _seconds(MONTH)

    @cached_property
    def buffer(self) -> int:
        """Rows of the widest buffer of VUS-PR: as many as the median fault has."""
        lengths = [last - first + 1 for each in self.outcomes for first, last in each.windows]
        return min(int(np.median(lengths)), WIDEST_BUFFER) if lengths else 0

    def figures(self, *, seed: int) -> dict[str, Figure]:
        """Each with its interval, the same for the same seed."""
        sums = _Sums.of(self.outcomes, self.buffer)
        rng = np.random.default_rng(seed)
        return {name: sums.figure(statistic, rng) for name, statistic in _STATISTICS.items()}

    def by_sort(self) -> dict[str, dict[str, Any]]:
        """Of each sort of fault that has a name: how many, how many found, the median delay."""
        sorts = sorted({found.fault.sort for found in self.found} - {""})
        return {sort: _of_sort([f for f in self.found if f.fault.sort == sort]) for sort in sorts}


def evaluate(streams: Sequence[Judged], rule: Rule) -> Evaluation:
    return Evaluation(tuple(Outcome.of(stream, rule) for stream in streams))


def _of_sort(found: Sequence[Found]) -> dict[str, Any]:
    delays = [each.delay for each in found if each.is_found]
    median = float(np.median(delays)) if delays else None
    return {"faults": len(found), "found": len(delays), "median_delay_s": median}


@dataclass(frozen=True)
class _Sums:
    """What each of b blocks adds. counts (b, 3): found, missed, false; seconds (b,); delays, leads
    and their owners: shape (f,), of the faults that were found."""

    counts: FloatArray
    seconds: FloatArray
    delays: FloatArray
    leads: FloatArray
    owners: FloatArray
    surface: vus.Surface

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], buffer: int) -> _Sums:
        rated, blocks = _blocks(outcomes)
        counts, seconds = np.zeros((blocks, 3)), np.zeros(blocks)
        found: list[tuple[float, float, int]] = []
        for outcome, stream in zip(outcomes, rated, strict=True):
            np.add.at(seconds, stream.blocks, outcome.healthy)
            for each in outcome.found:
                own = int(stream.blocks[each.row])
                counts[own, 0 if each.is_found else 1] += 1
                if each.is_found:
                    found.append((each.delay, each.lead, own))
            for (first, _), is_true in outcome.alarms:
                counts[stream.blocks[first], 2] += not is_true
        delays, leads, owners = np.array(found, dtype=float).reshape(-1, 3).T
        surface = vus.Surface.of(rated, blocks, buffer)
        return cls(counts, seconds, delays, leads, owners.astype(int), surface)

    def figure(
        self, statistic: Callable[[_Sums, FloatArray], float], rng: np.random.Generator
    ) -> Figure:
        blocks = len(self.seconds)
        value = statistic(self, np.ones(blocks))
        if blocks < LEAST_BLOCKS:
            return Figure(value, float("nan"), float("nan"))
        low, high = bootstrap_interval(
            lambda drawn: statistic(self, np.bincount(drawn, minlength=blocks).astype(float)),
            blocks,
            rng=rng,
            level=INTERVAL,
        )
        return Figure(value, low, high)

    def counted(self, weights: FloatArray) -> Counts:
        return Counts(*(int(count) for count in weights @ self.counts))

    def median(self, of: FloatArray, weights: FloatArray) -> float:
        drawn = np.repeat(of, weights[self.owners].astype(int))
        return float(np.median(drawn)) if len(drawn) else float("nan")

    def false_alarm_rate(self, weights: FloatArray) -> float:
        months = float(weights @ self.seconds) / _seconds(MONTH)
        return self.counted(weights).false_alarms / months if months else float("nan")


def _blocks(outcomes: Sequence[Outcome]) -> tuple[list[vus.Rated], int]:
    rows = sum(len(each.scores) for each in outcomes)
    longest = max((b - a + 1 for each in outcomes for a, b in each.windows), default=1)
    least, before, rated = max(rows // BLOCKS, longest, 1), 0, []
    for each in outcomes:
        blocks = each.cuts(least) + before
        rated.append(vus.Rated(each.scores, each.windows, blocks))
        before = int(blocks[-1]) + 1 if len(blocks) else before
    return rated, before


def _recall(sums: _Sums, weights: FloatArray) -> float:
    counts = sums.counted(weights)
    return counts.recall if counts.found + counts.missed else float("nan")


def _precision(sums: _Sums, weights: FloatArray) -> float:
    counts = sums.counted(weights)
    return counts.precision if counts.found + counts.false_alarms else float("nan")


_STATISTICS: dict[str, Callable[[_Sums, FloatArray], float]] = {
    "precision": _precision,
    "recall": _recall,
    "f1": lambda sums, weights: sums.counted(weights).f1,
    "delay_s": lambda sums, weights: sums.median(sums.delays, weights),
    "lead_time_s": lambda sums, weights: sums.median(sums.leads, weights),
    "false_alarms_per_sensor_month": lambda sums, weights: sums.false_alarm_rate(weights),
    "auc_pr": lambda sums, weights: sums.surface.average_precision(weights),
    "vus_pr": lambda sums, weights: sums.surface.volume(weights),
}

"""Which faults were found, and which alarms were false: episode by episode, no tolerance. Pure.

A fault counts as found when an alarm of its sensor shares an instant with it; an alarm is false
when it shares none with any fault of its sensor. Both ends belong to a range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from sensors.generator import Fault
from sensors.series import TimeArray


@dataclass(frozen=True, slots=True)
class Alarm:
    """An anomaly, as far as it matters here: whose, from when to when, given by which rung."""

    sensor: str
    start: np.datetime64
    end: np.datetime64
    rung: str = ""
    credible: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one group of faults and alarms; the ratios are NaN where there is nothing."""

    injected: int
    found: int
    alarms: int
    true_alarms: int

    @property
    def recall(self) -> float:
        return self.found / self.injected if self.injected else float("nan")

    @property
    def precision(self) -> float:
        return self.true_alarms / self.alarms if self.alarms else float("nan")

    @property
    def false_alarms(self) -> int:
        return self.alarms - self.true_alarms


@dataclass(frozen=True, slots=True)
class Found:
    """A fault and the earliest alarm that overlaps it; None if it was missed."""

    fault: Fault
    alarm: Alarm | None
    delay: int | None
    """Readings from the start of the fault to the start of the alarm; None if it was missed."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What became of each fault and of each alarm of the evaluated period."""

    faults: tuple[Found, ...]
    alarms: tuple[tuple[Alarm, bool], ...]
    """Each alarm and whether it overlaps a fault."""

    def overall(self) -> Score:
        return _score(self.faults, self.alarms)

    def by_kind(self, kinds: Mapping[str, str]) -> dict[str, Score]:
        """kinds: the kind of each sensor."""
        return {
            kind: _score(
                [found for found in self.faults if kinds[found.fault.sensor] == kind],
                [pair for pair in self.alarms if kinds[pair[0].sensor] == kind],
            )
            for kind in sorted(set(kinds.values()))
        }

    def by_rung(self) -> dict[str, tuple[int, int]]:
        """(alarms, true ones among them) of each rung that gave any."""
        rungs = sorted({alarm.rung for alarm, _ in self.alarms})
        return {
            rung: (
                sum(alarm.rung == rung for alarm, _ in self.alarms),
                sum(alarm.rung == rung and true for alarm, true in self.alarms),
            )
            for rung in rungs
        }

    def by_sort(self) -> dict[str, tuple[int, int, float | None]]:
        """(injected, found, median delay in readings) of each sort of fault."""
        return {
            sort: _of_sort([found for found in self.faults if found.fault.sort == sort])
            for sort in sorted({found.fault.sort for found in self.faults})
        }


def evaluate(
    faults: Sequence[Fault],
    alarms: Iterable[Alarm],
    *,
    since: np.datetime64,
    times: Mapping[str, TimeArray],
) -> Evaluation:
    """Match the faults with the alarms that end at `since` or later.

    times: of each sensor with a fault, the times of its readings in ascending order.
    """
    considered = sorted(
        (alarm for alarm in alarms if alarm.end >= since), key=lambda alarm: alarm.start
    )
    return Evaluation(
        faults=tuple(_find(fault, considered, times[fault.sensor]) for fault in faults),
        alarms=tuple(
            (alarm, any(overlap(fault, alarm) for fault in faults)) for alarm in considered
        ),
    )


def overlap(fault: Fault, alarm: Alarm) -> bool:
    return (
        fault.sensor == alarm.sensor
        and bool(fault.start <= alarm.end)
        and bool(alarm.start <= fault.end)
    )


def _find(fault: Fault, alarms: Sequence[Alarm], times: TimeArray) -> Found:
    alarm = next((alarm for alarm in alarms if overlap(fault, alarm)), None)
    if alarm is None:
        return Found(fault, None, None)
    between = np.searchsorted(times, alarm.start) - np.searchsorted(times, fault.start)
    return Found(fault, alarm, max(int(between), 0))


def _score(faults: Sequence[Found], alarms: Sequence[tuple[Alarm, bool]]) -> Score:
    return Score(
        injected=len(faults),
        found=sum(found.alarm is not None for found in faults),
        alarms=len(alarms),
        true_alarms=sum(true for _, true in alarms),
    )


def _of_sort(faults: Sequence[Found]) -> tuple[int, int, float | None]:
    delays = [found.delay for found in faults if found.delay is not None]
    return len(faults), len(delays), median(delays) if delays else None

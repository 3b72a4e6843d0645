"""The gate in front of production: a version against the champion, on what is stored.

Both score the same readings. What people confirmed are faults that are to be found; every other
alarm is a false one. Confirmed faults are never learnt from, so neither version has seen them; the
rest either may have been fitted on, and equally so. What was held back from fitting is taken from
the run, where the reigning champion was measured beside the candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from mlops import artifacts, comparison, datasets, serving
from mlops.comparison import Answer, FaultSeen, Record
from mlops.datasets import History
from mlops.detectors.base import ALARM_LEVEL, Detector
from mlops.detectors.statistical import Statistical
from mlops.metrics import Rows
from mlops.models import ModelApproval, Promotion
from sensors.models import Sensor
from sensors.querysets import SensorQuerySet
from sensors.series import FloatArray, TimeArray, to_datetime64

# Machines change, and what was long ago says less of how a version will do.
LOOKS_BACK = timedelta(weeks=12)
WEEK_H = 7 * 24.0
RUNG = "the statistical rung"
# What a run calls the figures that are compared, by whose they are.
OWN, CHAMPIONS, RUNGS = "injected_", "champion_injected_", "statistical_injected_"
MEASURED = ("f1", "average_precision")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and the records it was made from: of the version and of what reigns."""

    answer: Answer
    records: tuple[Record, ...] = ()

    @property
    def passes(self) -> bool:
        return self.answer.passes

    @property
    def reason(self) -> str:
        return self.answer.reason

    @property
    def table(self) -> list[str]:
        return comparison.table(self.records) if self.records else []


def judge(name: str, version: int, *, now: datetime) -> Verdict:
    """Whether a version may become champion. Refused or Unavailable when it cannot be loaded."""
    model = serving.load(name, version)
    approval = ModelApproval.objects.get(name=name, version=version)
    if not serving.judges_readings(model):
        task = f"its task is {approval.task}: it judges no stored readings"
        return Verdict(Answer(passes=True, reason=task))
    champion = Promotion.objects.filter(name=name).first()
    if champion is not None and champion.version == version:
        return Verdict(Answer(passes=True, reason="it is the champion"))
    reigning: Detector = Statistical()
    who = RUNG
    if champion is not None:
        reigning, who = serving.load_detector(name, champion.version), f"v{champion.version}"
    evidence = list(_evidence(approval, now))
    challenger = serving.load_detector(name, version)
    own, other, chance = _held_back(approval, champion)
    records = (
        replace(_record(f"v{version}", challenger, evidence), held_back=own, chance=chance),
        replace(_record(who, reigning, evidence), held_back=other),
    )
    return Verdict(comparison.compare(*records), records)


@dataclass(frozen=True, slots=True)
class _Lived:
    """What a sensor read lately: rows first.. of its history, and what people confirmed in them."""

    history: History
    first: int
    faults: tuple[tuple[str, Rows], ...]
    machine: str


def _evidence(approval: ModelApproval, now: datetime) -> Iterator[_Lived]:
    sensors = list(_judged_by(approval).order_by("pk"))
    confirmed = datasets.known_faults([sensor.pk for sensor in sensors])
    for sensor in sensors:
        history = datasets.history_of(sensor, now)
        times = history.series.times
        since = int(np.searchsorted(times, to_datetime64(now - LOOKS_BACK)))
        first = max(since, datasets.SETTLED_ROWS)
        if first >= len(times):
            continue
        faults = tuple(
            (f"{sensor.external_id} on {start:%Y-%m-%d %H:%M}", rows)
            for start, end in sorted(confirmed.get(sensor.pk, ()))
            if (rows := _rows_of(times[first:], start, end))
        )
        machine = f"asset {sensor.asset_id}" if sensor.asset_id else f"sensor {sensor.pk}"
        yield _Lived(history, first, faults, machine)


def _rows_of(times: TimeArray, start: datetime, end: datetime) -> Rows | None:
    """The first and last row of a span; None where it begins before them or none lies in it."""
    first = int(np.searchsorted(times, to_datetime64(start)))
    last = int(np.searchsorted(times, to_datetime64(end), "right")) - 1
    return (first, last) if times[0] <= to_datetime64(start) and first <= last else None


def _judged_by(approval: ModelApproval) -> SensorQuerySet:
    own = serving.sensor_of(approval.name)
    sensors = Sensor.objects.scored()
    return sensors.filter(pk=own) if own else sensors.filter(kind=approval.sensor_kind)


def _record(who: str, detector: Detector, evidence: list[_Lived]) -> Record:
    faults: list[FaultSeen] = []
    false, weeks = 0, dict[str, float]()
    for each in evidence:
        hours = _hours(each)
        is_alarm = detector.score(each.history.X[each.first :]) >= ALARM_LEVEL
        seen, more = comparison.see(is_alarm, each.faults, hours)
        faults += seen
        false += more
        looked = float(hours[-1] - hours[0]) / WEEK_H
        weeks[each.machine] = max(weeks.get(each.machine, 0.0), looked)
    return Record(who, tuple(faults), false, sum(weeks.values()))


def _hours(lived: _Lived) -> FloatArray:
    times = lived.history.series.times[lived.first :]
    hours: FloatArray = (times - times[0]).astype(np.int64) / 3.6e9
    return hours


def _held_back(
    approval: ModelApproval, champion: Promotion | None
) -> tuple[dict[str, float], dict[str, float], float]:
    """Of the version and of what reigns, as the version's run measured both on the same readings,
    and half the 90 % interval of its recall. Nothing of a champion that is another by now.
    """
    said = artifacts.manifest_of(serving.artifact_of(approval)).get("about", {})
    metrics = said.get("metrics", {})
    other = RUNGS if champion is None else CHAMPIONS
    theirs = {key: metrics[other + key] for key in MEASURED if other + key in metrics}
    if champion is not None and metrics.get("champion_version") != champion.version:
        theirs = {}
    low, high = (metrics.get(f"{OWN}recall_{end}", 0.0) for end in ("low", "high"))
    own = {key: metrics[OWN + key] for key in MEASURED if OWN + key in metrics}
    return own, theirs, max(comparison.LESS_F1, (high - low) / 2)

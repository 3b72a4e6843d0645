"""The detection agent on readings that wait, against the bare computation on the same arrays.

Champions are fitted on the generated history of another seed and handed over in place of the
registry, so that its network is no part of the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from unittest.mock import patch

from django.utils import timezone

from anomalies import detection, folding, regions
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly, AnomalyRevision, DetectionCheckpoint
from anomalies.scoring import Stretch, context_rows, score_stretches
from bench import folds
from bench.demo_quality import champion_of
from bench.place import settle
from bench.readings import SEED, UNTIL, healthy, stored, ten_minutes_apart
from bench.report import Report
from bench.timing import measure
from mlops import features, serving
from mlops.detectors.base import Detector
from mlops.serving import Champion, NoChampion
from sensors.generator import RANGES, Plan, generate
from sensors.models import Reading, ScoringNote, Sensor
from sensors.series import to_datetime

NEW = 100
YOUNG, OLD = 1_000, 20_000
STEADY_KIND, STEADY_SENSORS = "vibration", 4
POLICY = DetectionPolicy()


@dataclass(frozen=True, slots=True)
class Rung:
    """Who judges: the champion of each kind, or without any the local rung."""

    name: str
    champions: dict[str, Detector] = field(default_factory=dict)

    def serves(self) -> AbstractContextManager[object]:
        """This rung instead of what the registry says."""

        def champions_for(sensors: Sequence[tuple[int, str]]) -> dict[int, Champion | NoChampion]:
            return {pk: self._of(kind) for pk, kind in sensors}

        return patch.object(serving, "champions_for", champions_for)

    def bare(self, groups: dict[str, list[Stretch]]) -> Callable[[], object]:
        """The computation alone, grouped by kind as the agent groups it; the core included."""

        def compute() -> None:
            for kind, stretches in groups.items():
                score_stretches(stretches, self.champions.get(kind), POLICY)
                for one in stretches:
                    folding.fold(folding.beginning(), one.series[one.first :])

        return compute

    def _of(self, kind: str) -> Champion | NoChampion:
        if kind not in self.champions:
            return NoChampion("none here", expected=False)
        return Champion(f"anomaly-{kind}", 1, self.champions[kind])


def run(report: Report, *, fast: bool) -> None:
    champions = {kind: _champion(kind) for kind in RANGES}
    report.step(f"{len(champions)} champions fitted")
    folds.run(report, fast=fast)
    champion, local = Rung("champion", champions), Rung("local")
    fleet = _backlog(1_000 if fast else 2_000)
    # The local rung fits a model every six hours of readings: some sensors stand for all.
    for rung, sensors in (
        (champion, fleet[:6] if fast else fleet),
        (local, fleet[:1] if fast else fleet[:2]),
    ):
        _computation(report, rung, sensors)
        _drain_backlog(report, rung, sensors, rounds=1 if fast else 3)
    young, old = _steady("young", YOUNG), _steady("old", OLD)
    settle()
    _drain_steadily(report, champion, young, old, rounds=5 if fast else 12)
    _drain_steadily(report, local, young, old, rounds=1 if fast else 6)


def _champion(kind: str) -> Detector:
    fleet = generate(SEED + 1, UNTIL)
    return champion_of([stream for stream in fleet.streams if stream.kind == kind], "tails")


def _backlog(slots: int) -> list[Sensor]:
    """The fleet with its faults, stored and never scored."""
    fleet = generate(SEED, UNTIL, Plan(slots=slots, history=slots // 2))
    sensors = [stored(s.sensor, s.kind, *s.in_event_order()) for s in fleet.streams]
    settle()
    return sensors


def _whole(sensors: list[Sensor]) -> dict[str, list[Stretch]]:
    groups: dict[str, list[Stretch]] = {}
    for sensor in sensors:
        stretch = Stretch(Reading.objects.series(sensor.pk), 0, regions.limits_of(sensor))
        groups.setdefault(sensor.kind, []).append(stretch)
    return groups


def _rows(groups: dict[str, list[Stretch]]) -> int:
    return sum(len(s.times) for stretches in groups.values() for s in stretches)


def _computation(report: Report, rung: Rung, sensors: list[Sensor]) -> None:
    """What a reading costs without any database: features and judge, against features alone."""
    groups = _whole(sensors)

    def compute() -> None:
        for stretches in groups.values():
            for one in stretches:
                features.compute(one.series.times, one.series.values)

    report.add(
        measure(
            f"score, {rung.name}",
            rung.bare(groups),
            compute,
            against="computing its features",
            readings=_rows(groups),
            rounds=2,
        )
    )


def _drain_backlog(report: Report, rung: Rung, sensors: list[Sensor], rounds: int) -> None:
    groups = _whole(sensors)
    with rung.serves():
        line = measure(
            f"drain a backlog, {rung.name}",
            lambda: _drained(sensors),
            rung.bare(groups),
            against="scoring the same arrays",
            readings=_rows(groups),
            rounds=rounds,
            before=lambda: _note(sensors),
        )
    assert Anomaly.objects.exists(), "faults were injected and nothing was found"
    report.add(line)


def _note(sensors: list[Sensor], newest: int | None = None) -> None:
    """Forget what was found; note all readings, or the `newest` of each sensor."""
    if newest is None:
        DetectionCheckpoint.objects.all().delete()
    AnomalyRevision.objects.all().delete()
    Anomaly.objects.all().delete()
    span = ten_minutes_apart(newest or OLD)
    ScoringNote.objects.bulk_create(
        ScoringNote(sensor=sensor, since=to_datetime(span[0]), until=to_datetime(UNTIL))
        for sensor in sensors
    )


def _drained(sensors: list[Sensor]) -> None:
    drained = detection.drain(now=timezone.now(), policy=POLICY)
    assert drained.sensors == len(sensors), drained


def _steady(name: str, rows: int) -> list[Sensor]:
    """Healthy sensors with so many readings, all of them ending at the same time."""
    times = ten_minutes_apart(rows)
    return [
        stored(f"{name}-{i}", STEADY_KIND, times, healthy(STEADY_KIND, times, seed=[SEED, i]))
        for i in range(STEADY_SENSORS)
    ]


def _drain_steadily(
    report: Report, rung: Rung, young: list[Sensor], old: list[Sensor], *, rounds: int
) -> None:
    """100 new readings a sensor: against the bare computation, and long history against short."""
    news = {STEADY_KIND: [_newest(sensor, rung) for sensor in old]}
    readings = NEW * STEADY_SENSORS
    with rung.serves():
        for name, limit, before_limit, against in (
            ("", rung.bare(news), lambda: None, "scoring the same arrays"),
            (
                f" after {OLD:,}",
                lambda: _drained(young),
                lambda: _note(young, NEW),
                f"the same after {YOUNG:,} readings",
            ),
        ):
            report.add(
                measure(
                    f"drain {NEW} new readings{name}, {rung.name}",
                    lambda: _drained(old),
                    limit,
                    against=against,
                    readings=readings,
                    rounds=rounds,
                    before=lambda: _note(old, NEW),
                    before_limit=before_limit,
                )
            )


def _newest(sensor: Sensor, rung: Rung) -> Stretch:
    context = context_rows(POLICY, champion=bool(rung.champions))
    block = 6 * POLICY.local_block_hours  # readings of the local model's block, ten minutes apart
    series = Reading.objects.series(sensor.pk)[-(NEW + context + block) :]
    return Stretch(series, len(series) - NEW, regions.limits_of(sensor))

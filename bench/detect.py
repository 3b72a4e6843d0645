"""The detection agent: what a reading costs in each detector, and readings that wait, against the
bare computation on the same arrays."""

from __future__ import annotations

from django.utils import timezone

from anomalies import detection
from anomalies.models import Anomaly, AnomalyRevision
from bench import backlog, folds, judges, rungs
from bench.place import empty, settle
from bench.readings import SEED, UNTIL, healthy, stored, ten_minutes_apart
from bench.report import Report
from bench.rungs import LOCAL, POLICY, Rung, newest, rows_of, whole
from bench.timing import measure
from mlops import features
from mlops.detectors.fitted import CANDIDATES
from sensors.models import Reading, ScoringNote, Sensor
from sensors.series import to_datetime

NEW = 100
YOUNG, OLD = 1_000, 200_000
STEADY_KIND, STEADY_SENSORS = "vibration", 4


def run(report: Report, *, fast: bool) -> None:
    found = {name: rungs.champions(name) for name in CANDIDATES}
    champion = found["tails"]
    report.step("champions fitted")
    folds.run(report, fast=fast)
    judges.run(report, [found[name].champions[judges.KIND] for name in CANDIDATES], fast=fast)
    backlog.run(
        report, [champion, found["isolation_forest"], LOCAL], sensors=100 if fast else 1_000
    )
    empty()
    young, old = _steady("young", YOUNG), _steady("old", 20_000 if fast else OLD)
    settle()
    for rung in (champion, LOCAL):
        _computation(report, rung, young)
        _drain_steadily(report, rung, young, old, rounds=1 if fast else 12)


def _computation(report: Report, rung: Rung, sensors: list[Sensor]) -> None:
    """What a reading costs without any database: features and judge, against features alone."""
    groups = whole(sensors)

    def compute() -> None:
        for stretches in groups.values():
            for one in stretches:
                features.compute(one.series.times, one.series.values)

    report.add(
        measure(
            f"score, {rung.name}",
            lambda: rung.bare(groups),
            compute,
            against="computing its features",
            readings=rows_of(groups),
            rounds=2,
        )
    )


def _note(sensors: list[Sensor], newest: int) -> None:
    """Forget what was found; note the `newest` readings of each sensor."""
    AnomalyRevision.objects.all().delete()
    Anomaly.objects.all().delete()
    since = to_datetime(ten_minutes_apart(newest)[0])
    ScoringNote.objects.bulk_create(
        ScoringNote(sensor=sensor, since=since, until=to_datetime(UNTIL)) for sensor in sensors
    )


def _drained(sensors: list[Sensor]) -> None:
    drained = detection.drain(now=timezone.now(), policy=POLICY)
    assert drained.sensors == len(sensors), drained


def _caught_up(sensors: list[Sensor]) -> None:
    """With the core's checkpoints where a sensor has them that was scored all along."""
    _note(sensors, NEW)
    while detection.drain(now=timezone.now(), policy=POLICY).sensors:
        pass


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
    news = {STEADY_KIND: [newest(sensor, rung, NEW) for sensor in old]}
    readings, history = NEW * STEADY_SENSORS, len(Reading.objects.series(old[0].pk))
    with rung.serves():
        _caught_up(young + old)
        for name, limit, before_limit, against in (
            ("", lambda: rung.bare(news), lambda: None, "scoring the same arrays"),
            (
                f" after {history:,}",
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

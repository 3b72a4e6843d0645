"""A worker works off what 1,000 sensors left, against the bare computation on the same arrays.

Passes and slices of the bare computation take turns, so that what else the machine does meets both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from django.conf import settings
from django.db import connection
from django.utils import timezone

from anomalies import detection
from anomalies.models import Anomaly
from anomalies.stretch import Stretch
from bench.place import empty, settle
from bench.readings import SEED, UNTIL, site, stored, ten_minutes_apart
from bench.report import Report
from bench.rungs import POLICY, Rung, newest, rows_of, whole
from bench.timing import Measured, cpu_seconds, seconds
from sensors import rollups
from sensors.generator import Plan, generate
from sensors.models import Asset, RollupNote, ScoringNote, Sensor
from sensors.series import to_datetime

READINGS = 500  # of each sensor


def run(report: Report, rungs: Sequence[Rung], *, sensors: int) -> None:
    for rung in rungs:
        empty()
        fleet = _fleet(sensors)
        _roll_up(fleet)
        settle()
        report.step(f"{len(fleet):,} sensors stored")
        with rung.serves():
            report.add(_work_off(report, rung, fleet))
            report.facts[f"anomalies, {rung.name}"] = Anomaly.objects.count()
            report.add(_one_more(rung, fleet))


def _fleet(sensors: int) -> list[Sensor]:
    """Machines with their sensors, two of five with a fault, stored and never scored."""
    found: list[Sensor] = []
    plan = Plan(slots=READINGS, history=READINGS // 2, faults_per_sort=1, faults_per_sensor=1)
    for turn in range(-(-sensors // 20)):
        machines: dict[str, Asset] = {}
        for stream in generate(SEED + turn, UNTIL, plan).streams:
            name = f"{stream.asset}-{turn}"
            if name not in machines:
                machines[name] = Asset.objects.create(site=site(), name=name)
            sensor = stored(f"{stream.sensor}-{turn}", stream.kind, *stream.in_event_order())
            sensor.asset = machines[name]
            sensor.save(update_fields=["asset"])
            found.append(sensor)
    return found[:sensors]


def _roll_up(sensors: Sequence[Sensor]) -> None:
    """What the scheduler does by a job of its own, whoever detects."""
    since, until = to_datetime(ten_minutes_apart(2 * READINGS)[0]), to_datetime(UNTIL)
    RollupNote.objects.bulk_create(
        RollupNote(sensor=sensor, since=since, until=until) for sensor in sensors
    )
    rollups.roll_up()


def _note(sensors: Sequence[Sensor], newest: int) -> None:
    since = to_datetime(ten_minutes_apart(newest)[0])
    ScoringNote.objects.bulk_create(
        ScoringNote(sensor=sensor, since=since, until=to_datetime(UNTIL)) for sensor in sensors
    )


def _work_off(report: Report, rung: Rung, sensors: Sequence[Sensor]) -> Measured:
    """A pass at a time, each followed by the bare computation for as many sensors."""
    _note(sensors, 2 * READINGS)
    size, spent = settings.DETECTION_CLAIM_SIZE, []
    for first in range(0, len(sensors), size):
        groups = whole(sensors[first : first + size])
        spent.append((rows_of(groups), *_costs(_pass), *_costs(partial(rung.bare, groups))))
    spent.append((0, *_costs(_pass), 0.0, 0.0))
    assert not ScoringNote.objects.exists(), "one pass a slice, and one that finds nothing more"
    readings, own, own_cpu, limit, limit_cpu = (sum(column) for column in zip(*spent, strict=True))
    report.facts |= {
        f"cpu_us_a_reading, {rung.name}": round(own_cpu / readings * 1e6, 1),
        f"bare_cpu_us_a_reading, {rung.name}": round(limit_cpu / readings * 1e6, 1),
    }
    name = f"backlog of {len(sensors):,} sensors, {rung.name}"
    return Measured(name, "scoring the same arrays", readings, (own,), (limit,))


def _costs(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock; of computing, here and in PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    begun = cpu_seconds(backend)
    elapsed = seconds(call)
    return elapsed, cpu_seconds(backend) - begun


def _pass() -> None:
    detection.drain(now=timezone.now(), policy=POLICY)


def _one_more(rung: Rung, sensors: Sequence[Sensor]) -> Measured:
    """The newest reading of each sensor: what a live fleet costs."""
    _note(sensors, 2)
    size, limit = settings.DETECTION_CLAIM_SIZE, 0.0
    own = seconds(_until_done)
    for first in range(0, len(sensors), size):
        groups: dict[str, list[Stretch]] = {}
        for sensor in sensors[first : first + size]:
            groups.setdefault(sensor.kind, []).append(newest(sensor, rung, 1))
        limit += seconds(partial(rung.bare, groups))
    name = f"1 reading of each of {len(sensors):,}, {rung.name}"
    return Measured(name, "scoring the same arrays", len(sensors), (own,), (limit,))


def _until_done() -> None:
    while detection.drain(now=timezone.now(), policy=POLICY).sensors:
        pass

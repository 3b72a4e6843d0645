"""What the demo came to: read from the database after it has settled, and checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection

from anomalies.demo.evaluation import Alarm, Evaluation, evaluate, overlap
from anomalies.demo.reviewing import Reviewed
from anomalies.models import Anomaly, Decision, Rung, Verdict
from anomalies.querysets import AnomalyQuerySet
from mlops.models import ModelApproval, Promotion
from mlops.serving import model_for_kind
from sensors.generator import RANGES, Fleet
from sensors.models import QuarantinedReading, Reading, ScoringNote, Sensor
from sensors.querysets import SensorQuerySet
from sensors.series import to_datetime, to_datetime64


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts of one seed's run. `anomalies` and below: standing ones of the whole timeline."""

    fleet: Fleet
    evaluation: Evaluation
    database: str
    timescaledb: bool
    sensors: int
    readings: int
    quarantined: int
    models_registered: int
    champions: int
    anomalies: int
    validated: int
    credible: int
    failures: tuple[str, ...]


def outcome_of(fleet: Fleet, reviewed: Reviewed, verdict: Verdict) -> Outcome:
    standing = _standing()
    outcome = Outcome(
        fleet=fleet,
        evaluation=evaluation_of(fleet),
        database=_database(),
        timescaledb=_on_hypertable(),
        sensors=_sensors().count(),
        readings=Reading.objects.filter(sensor_id__in=_sensors().values("pk")).count(),
        quarantined=QuarantinedReading.objects.filter(site__in=_sensors().values("site")).count(),
        models_registered=ModelApproval.objects.count(),
        champions=Promotion.objects.values("name").distinct().count(),
        anomalies=standing.count(),
        validated=standing.exclude(decision="").filter(validation_due_at__isnull=True).count(),
        credible=standing.filter(decision=Decision.CREDIBLE).count(),
        failures=(),
    )
    return replace(outcome, failures=tuple(_failures(outcome, reviewed, verdict)))


def evaluation_of(fleet: Fleet) -> Evaluation:
    """The standing anomalies of the held-back period against the labels."""
    since = fleet.held_back_from
    stored = _standing().filter(end__gte=to_datetime(since)).select_related("sensor")
    times = {stream.sensor: stream.in_event_order()[0] for stream in fleet.streams}
    return evaluate(fleet.faults, map(alarm_of, stored), since=since, times=times)


def alarm_of(anomaly: Anomaly) -> Alarm:
    return Alarm(
        sensor=anomaly.sensor.external_id,
        start=to_datetime64(anomaly.start),
        end=to_datetime64(anomaly.end),
        rung=anomaly.rung,
        credible=anomaly.decision == Decision.CREDIBLE,
    )


def verdict_on(anomaly: Anomaly, fleet: Fleet) -> Verdict:
    """What a person finds who goes there and looks."""
    real = any(overlap(fault, alarm_of(anomaly)) for fault in fleet.faults)
    return Verdict.CONFIRMED if real else Verdict.FALSE_POSITIVE


def best_anomaly(fleet: Fleet) -> Anomaly | None:
    """What a reviewer would look at first: the highest score of the held-back period."""
    recent = _standing().filter(start__gte=to_datetime(fleet.held_back_from))
    return recent.filter(rung=Rung.CHAMPION).order_by("-severity", "-score").first()


def _failures(outcome: Outcome, reviewed: Reviewed, verdict: Verdict) -> list[str]:
    """What did not work, in words; nothing when all did."""
    sent = sum(len(stream.times) for stream in outcome.fleet.streams)
    kept = f"{outcome.readings} readings are stored and {outcome.quarantined} quarantined"
    named = set(Promotion.objects.values_list("name", flat=True))
    missing = {kind for kind in RANGES if model_for_kind(kind) not in named}
    promises = {
        f"{kept}, {sent} were sent": outcome.readings + outcome.quarantined == sent,
        "some notes are still open": not ScoringNote.objects.exists(),
        "some anomalies have no decision": outcome.validated == outcome.anomalies,
        "some validations failed": not _standing().filter(decision=Decision.ERROR).exists(),
        "anomalies of one sensor overlap": not _overlapping(),
        "no anomaly was given by a champion": _standing().filter(rung=Rung.CHAMPION).exists(),
        # The gate keeps out what does worse than the rung below; of all kinds that is no accident.
        f"without a champion: {', '.join(sorted(missing))}": len(missing) <= len(RANGES) // 2,
        "the review did not change the verdict": (
            reviewed.before["verdict"] != verdict.value == reviewed.after["verdict"]
        ),
        "the API does not name the champion": _names_champion(reviewed),
    }
    return [what for what, kept in promises.items() if not kept]


def _names_champion(reviewed: Reviewed) -> bool:
    said = reviewed.before
    return (
        said["rung"] == Rung.CHAMPION
        and bool(said["detector"])
        and bool(said["model_name"])
        and isinstance(said["model_version"], int)
    )


def _overlapping() -> bool:
    """Whether any sensor has two standing anomalies over one instant: scored twice, if so."""
    last: dict[int, datetime] = {}
    ranges = _standing().order_by("sensor", "start")
    for sensor, start, end in ranges.values_list("sensor_id", "start", "end"):
        if sensor in last and start <= last[sensor]:
            return True
        last[sensor] = end
    return False


def _standing() -> AnomalyQuerySet:
    return Anomaly.objects.standing().of_one_sensor().filter(sensor__in=_sensors())


def _sensors() -> SensorQuerySet:
    return Sensor.objects.filter(metadata__has_key="seed")


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0].split()[0]}"


def _on_hypertable() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('timescaledb_information.hypertables') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(
            "SELECT EXISTS (SELECT FROM timescaledb_information.hypertables"
            " WHERE hypertable_name = %s)",
            [Reading._meta.db_table],
        )
        return bool(cursor.fetchone()[0])

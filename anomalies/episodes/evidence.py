"""What stands in an episode, and what the episode says because of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q

from anomalies.episodes import course, log
from anomalies.episodes.log import Kind
from anomalies.episodes.policy import EpisodePolicies, EpisodePolicy
from anomalies.episodes.weight import USUAL_CRITICALITY, Mover, movers, severity
from anomalies.models import Anomaly, Episode, Resolution, Verdict
from anomalies.querysets import AnomalyQuerySet
from sensors.models import Reading, Sensor

INSTANT = timedelta(microseconds=1)
SUMMARY = (
    *("severity", "score", "confidence", "started_at", "last_at", "first_sensor", "sensors"),
    *("anomalies_count", "changed_at"),
)


def of(episode: Episode) -> AnomalyQuerySet:
    return Anomaly.objects.standing().filter(episode=episode)


def counts(anomaly: Anomaly, policy: EpisodePolicy) -> bool:
    """Whether it is evidence of anything: people first, then the validation agent."""
    if anomaly.withdrawn_at is not None or anomaly.score < policy.exit_score:
        return False
    said = _verdict(anomaly)
    if said in {Verdict.CONFIRMED, Verdict.FALSE_POSITIVE}:
        return said == Verdict.CONFIRMED
    return anomaly.status in policy.statuses


def why_not(anomaly: Anomaly) -> str:
    """Why one that was evidence is none any more, for the trace."""
    if anomaly.withdrawn_at is not None:
        return "detection took it back"
    if _verdict(anomaly) == Verdict.FALSE_POSITIVE:
        return "a person called it a false positive"
    return f"it is now: {anomaly.get_status_display().lower() or 'not validated'}"


def _verdict(anomaly: Anomaly) -> str:
    """One of many that fell silent together is reviewed by the one that leads them."""
    return anomaly.verdict or (anomaly.follows.verdict if anomaly.follows else "")


def summarise(episode: Episode, *, joined: Collection[int], is_new: bool, now: datetime) -> None:
    """Make the episode say what its anomalies say. All but growth leaves an event.

    joined: sensors that had nothing in it before.
    """
    before = {"severity": episode.severity, "first": episode.first_sensor_id}
    found = _measured(of(episode))
    episode.anomalies_count, episode.changed_at = found["n"], now
    if not found["n"]:
        episode.save(update_fields=SUMMARY)
        _emptied(episode, now=now)
        return
    _take_over(episode, found)
    episode.save(update_fields=SUMMARY)
    if is_new:
        log.write(episode, Kind.OPENED, now=now, severity=episode.severity)
    else:
        _note_changes(episode, before, joined, now=now)


def _measured(rows: AnomalyQuerySet) -> dict[str, Any]:
    found = rows.order_by().aggregate(
        started_at=Min("start"),
        last_at=Max("end"),
        score=Max("score"),
        confidence=Max("confidence"),
        sensors=Count("sensor", distinct=True),
        n=Count("pk"),
    )
    first = rows.order_by("start", "sensor").values_list("sensor", flat=True).first()
    return {**found, "confidence": found["confidence"] or 0.0, "first_sensor_id": first}


def _take_over(episode: Episode, found: Mapping[str, Any]) -> None:
    for name in ("started_at", "last_at", "score", "confidence", "sensors", "first_sensor_id"):
        setattr(episode, name, found[name])
    criticality = episode.asset.criticality if episode.asset else USUAL_CRITICALITY
    episode.severity = severity(episode.score, criticality, episode.sensors)


def _emptied(episode: Episode, *, now: datetime) -> None:
    """Nothing stands in it any more. Who has it in hand decides; else it is over."""
    if episode.is_open and not episode.is_handled:
        log.resolve(episode, Resolution.RETRACTED, now=now)


def _note_changes(
    episode: Episode, before: Mapping[str, Any], joined: Collection[int], *, now: datetime
) -> None:
    if joined:
        names = Sensor.objects.filter(pk__in=joined).order_by("external_id")
        told = list(names.values_list("external_id", flat=True))
        log.write(episode, Kind.JOINED, now=now, sensors=told)
    if episode.first_sensor_id != before["first"]:
        both = before["first"], episode.first_sensor_id
        found = Sensor.objects.in_bulk(both)
        told = [found[pk].external_id for pk in both]
        log.write(episode, Kind.ORIGIN, now=now, before=told[0], after=told[1])
    if episode.severity != before["severity"]:
        log.write(
            episode, Kind.SEVERITY, now=now, before=before["severity"], after=episode.severity
        )


def order_of(episode: Episode) -> list[Mover]:
    """Which sensor moved first, and by how long it was ahead of the others."""
    return movers(of(episode).order_by().values_list("sensor", "start"))


# --- is it over? ----------------------------------------------------------------------------------


def was_quiet(episode: Episode, until: datetime, policies: EpisodePolicies) -> bool:
    """Whether each sensor that moved had enough readings between the last evidence and `until`."""
    return all(
        _readings(sensor, episode.last_at, until - INSTANT, policies) >= _enough(sensor, policies)
        for sensor in _moved(episode)
    )


def is_calm(episode: Episode, policies: EpisodePolicies) -> bool:
    """Whether it is over: nothing goes on or waits, and all of its sensors have been quiet."""
    sensors = _moved(episode)
    if not sensors and episode.sensors:
        return True  # every sensor that moved is retired
    unsettled = (
        Q(is_open=True) | Q(validation_due_at__isnull=False) | Q(episode_due_at__isnull=False)
    )
    pending = Anomaly.objects.standing().filter(unsettled, sensor__in=sensors)
    if pending.filter(Q(is_open=True) | Q(end__gte=episode.last_at)).exists():
        return False
    return all(_is_calm(sensor, episode.last_at, policies) for sensor in sensors)


def _is_calm(sensor: Sensor, last: datetime, policies: EpisodePolicies) -> bool:
    lease = getattr(sensor, "detection", None)
    until = lease.scored_until if lease else None
    readings = _readings(sensor, last, until, policies) if until else 0
    return course.is_calm(last, until, readings, policies.of(sensor.kind))


def _moved(episode: Episode) -> list[Sensor]:
    moved = of(episode).order_by().values("sensor")
    return list(Sensor.objects.scored().filter(pk__in=moved).select_related("detection"))


def _enough(sensor: Sensor, policies: EpisodePolicies) -> int:
    return policies.of(sensor.kind).exit_readings


def _readings(sensor: Sensor, after: datetime, until: datetime, policies: EpisodePolicies) -> int:
    """Readings of a sensor strictly between two times, counted up to what is enough."""
    enough = _enough(sensor, policies)
    found = Reading.objects.series(
        sensor.pk, since=after + INSTANT, until=until, limit=max(enough, 1)
    )
    return len(found)

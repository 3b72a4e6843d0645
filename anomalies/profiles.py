"""Verdicts as rows: what they say of a detector on a sensor, and of anomalies that looked alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from math import isfinite

import numpy as np

from anomalies.credibility import Posterior, faded
from anomalies.evidence import Evidence
from anomalies.excursion import Excursion
from anomalies.models import Anomaly, SensorValidationProfile, Verdict
from anomalies.precedents import Look, Precedent
from anomalies.querysets import AnomalyQuerySet
from sensors.models import Sensor
from sensors.presentation import zone_of

DAY_S = 86_400.0
MOST_PRECEDENTS = 200  # the newest


def refresh(anomaly: Anomaly, *, now: datetime) -> None:
    """Write down what the verdicts say of this anomaly's detector on its sensor.

    Counted anew from the verdicts. Call it in the transaction that changes one.
    """
    sensor = anomaly.sensor
    verdicts = _verdicts(sensor, anomaly.detector).filter(sensor=sensor)
    confirmed, refuted = _counted(verdicts.values_list("verdict", "reviewed_at"), at=now)
    SensorValidationProfile.objects.update_or_create(
        sensor=sensor,
        kind=sensor.kind,
        detector=anomaly.detector,
        defaults={"confirmed": confirmed, "refuted": refuted, "updated_at": now},
    )


def posterior_of(sensor: Sensor, detector: str, *, at: datetime) -> Posterior:
    """By what is written down, faded until `at`."""
    rows = SensorValidationProfile.objects.filter(
        kind=sensor.kind, detector=detector, sensor__site=sensor.site_id
    )
    own, others = np.zeros(2), np.zeros(2)
    found = rows.values_list("sensor", "confirmed", "refuted", "updated_at")
    for whose, confirmed, refuted, since in found.order_by("sensor"):
        still = faded(np.array([_days(since, at)]))[0]
        (own if whose == sensor.pk else others)[:] += still * np.array([confirmed, refuted])
    return Posterior(float(own[0]), float(own[1]), (float(others[0]), float(others[1])))


def posterior_then(sensor: Sensor, detector: str, *, at: datetime) -> Posterior:
    """As `posterior_of` would have said at that moment: by the verdicts given until then."""
    given = _verdicts(sensor, detector).filter(reviewed_at__lte=at)
    rows = given.values_list("verdict", "reviewed_at")
    own = _counted(rows.filter(sensor=sensor), at=at)
    return Posterior(*own, of_kind=_counted(rows.exclude(sensor=sensor), at=at))


def precedents_of(anomaly: Anomaly, *, at: datetime) -> list[Precedent]:
    """The verdicts given until `at` on other anomalies of its sensor, the newest."""
    rows = reviewed().filter(sensor=anomaly.sensor_id, reviewed_at__lte=at).exclude(pk=anomaly.pk)
    found = rows.order_by("-reviewed_at", "-pk")[:MOST_PRECEDENTS]
    return [
        Precedent(
            anomaly=one.pk,
            is_confirmed=one.verdict == Verdict.CONFIRMED,
            age_days=_days(one.reviewed_at, at),
            look=Look.of(evidence_of(one, anomaly.sensor)),
        )
        for one in found
        if isfinite(one.score) and isfinite(one.observed)
    ]


def judged_of(sensors: Collection[int]) -> set[int]:
    """Those of the sensors of whose anomalies a person said what they are."""
    rows = reviewed().filter(sensor__in=sensors).order_by()
    return set(rows.values_list("sensor", flat=True).distinct())


def reviewed() -> AnomalyQuerySet:
    """Those of which a person said what they are. Withdrawn ones count: the person saw them."""
    return Anomaly.objects.filter(
        verdict__in=(Verdict.CONFIRMED, Verdict.FALSE_POSITIVE), reviewed_at__isnull=False
    )


def evidence_of(
    anomaly: Anomaly, sensor: Sensor, *, quality: float | None = None, asset_state: str = ""
) -> Evidence:
    """What detection stored, with what was around it at the peak. Raises EvidenceError."""
    local = anomaly.start.astimezone(zone_of(sensor.site.timezone))
    parts = anomaly.explanation.get("contributions", [])
    return Evidence(
        kind=sensor.kind,
        nature=anomaly.nature,
        rung=anomaly.rung,
        detector=anomaly.detector,
        score=anomaly.score,
        severity=anomaly.severity,
        value=anomaly.observed,
        quality=quality,
        expected_low=anomaly.expected_low,
        expected_high=anomaly.expected_high,
        readings=anomaly.readings,
        duration_s=(anomaly.end - anomaly.start).total_seconds(),
        hour=local.hour + local.minute / 60,
        asset_state=asset_state,
        shares=tuple((part["feature"], part["share"]) for part in parts),
        excursion=Excursion.stored(anomaly.excursion),
    )


def _verdicts(sensor: Sensor, detector: str) -> AnomalyQuerySet:
    return reviewed().filter(
        sensor__site=sensor.site_id, sensor__kind=sensor.kind, detector=detector
    )


def _counted(rows: Iterable[tuple[str, datetime]], *, at: datetime) -> tuple[float, float]:
    """(confirmed, refuted), as far as they still count at that time."""
    found = list(rows)
    weights = faded(np.array([_days(given, at) for _, given in found]))
    is_confirmed = np.array([verdict == Verdict.CONFIRMED for verdict, _ in found], np.bool_)
    return float(weights[is_confirmed].sum()), float(weights[~is_confirmed].sum())


def _days(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() / DAY_S

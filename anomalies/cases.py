"""Anomalies with all that they are judged by, as it lies in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection

from anomalies import exclusions, profiles
from anomalies.credibility import Posterior
from anomalies.evidence import Evidence
from anomalies.exclusions import Periods
from anomalies.history import History
from anomalies.models import Anomaly
from anomalies.policy import Policies, ValidationPolicy
from anomalies.precedents import Precedent
from anomalies.rejudging import Case, Outcome
from sensors import states
from sensors.models import Reading
from sensors.operating import NAMES
from sensors.series import Series, to_datetime64

SEASON_REACH = timedelta(minutes=30)
# Readings of confirmed faults are no history; so far back others are looked for in their place.
REPLACED_WITHIN = 500


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was measured around an anomaly and what was said before it."""

    quality: float | None
    asset_state: str
    history: History
    posterior: Posterior
    precedents: tuple[Precedent, ...]


def around(anomaly: Anomaly, policy: ValidationPolicy, *, at: datetime) -> Surroundings:
    """For the validation agent, at the moment `at`."""
    posterior = profiles.posterior_of(anomaly.sensor, anomaly.detector, at=at)
    return _around(anomaly, policy, posterior, at=at)


def then(anomaly: Anomaly, policy: ValidationPolicy, *, at: datetime) -> Surroundings:
    """The same, looked up later: verdicts given after `at` do not count."""
    posterior = profiles.posterior_then(anomaly.sensor, anomaly.detector, at=at)
    return _around(anomaly, policy, posterior, at=at)


def evidence_of(anomaly: Anomaly, found: Surroundings) -> Evidence:
    """Raises EvidenceError for a row that holds no usable numbers."""
    return profiles.evidence_of(
        anomaly, anomaly.sensor, quality=found.quality, asset_state=found.asset_state
    )


def past(anomalies: Iterable[Anomaly], policies: Policies) -> Iterator[Case]:
    """Stored anomalies as the cases that they were when they were judged last.

    anomalies: validated, with their sensor and its site. Raises EvidenceError.
    """
    for anomaly in anomalies:
        sensor, at = anomaly.sensor, _judged_at(anomaly)
        policy = policies.of(sensor_id=sensor.pk, kind=sensor.kind)
        found = then(anomaly, policy, at=at)
        yield Case(
            anomaly=anomaly.pk,
            sensor=sensor.pk,
            kind=sensor.kind,
            site=sensor.site_id,
            start=anomaly.start,
            evidence=evidence_of(anomaly, found),
            history=found.history,
            posterior=found.posterior,
            precedents=found.precedents,
            was=Outcome(anomaly.decision, anomaly.confidence or 0.0),
            verdict=anomaly.verdict,
        )


def _judged_at(anomaly: Anomaly) -> datetime:
    """Before its own verdict: who judges again must not know it."""
    judged = anomaly.validations.order_by("-validated_at", "-id")
    newest = judged.values_list("validated_at", flat=True).first() or anomaly.detected_at
    if anomaly.reviewed_at is None:
        return newest
    return min(newest, anomaly.reviewed_at - timedelta(microseconds=1))


def _around(
    anomaly: Anomaly, policy: ValidationPolicy, posterior: Posterior, *, at: datetime
) -> Surroundings:
    peak = Reading.objects.series(anomaly.sensor_id, since=anomaly.peak, until=anomaly.peak)
    faults = exclusions.confirmed_fault_periods(anomaly.sensor_id, until=anomaly.start)
    before = _before(anomaly, policy, faults)
    return Surroundings(
        quality=History.of(peak).mean_quality,
        asset_state=_state(anomaly),
        history=History.of(before, _days(anomaly, policy, faults)),
        posterior=posterior,
        precedents=tuple(profiles.precedents_of(anomaly, at=at)),
    )


def _state(anomaly: Anomaly) -> str:
    if anomaly.sensor.asset_id is None:
        return ""
    known = states.states_of(anomaly.sensor_id, np.array([to_datetime64(anomaly.peak)]))
    return NAMES[int(known[0])] if known is not None else NAMES[0]


def _before(anomaly: Anomaly, policy: ValidationPolicy, faults: Periods) -> Series:
    n = policy.historical_check_limit
    found = Reading.objects.before(anomaly.sensor_id, anomaly.start, n)
    if not faults.covers(found.times).any():
        return found
    wider = Reading.objects.before(anomaly.sensor_id, anomaly.start, max(n, REPLACED_WITHIN))
    return _healthy(wider, faults)[-n:]


def _healthy(series: Series, faults: Periods) -> Series:
    kept = ~faults.covers(series.times)
    return Series(series.times[kept], series.values[kept], series.quality[kept])


# One range of the primary key for each day: what was read at this time of day. OFFSET 0 keeps
# PostgreSQL from making a join of it that reads the sensor from its first reading on.
_SEASON = """
SELECT day.number, reading.time, reading.value, reading.quality
FROM generate_series(1, %(days)s) AS day (number)
CROSS JOIN LATERAL (SELECT time, value, quality FROM sensors_reading
    WHERE sensor_id = %(sensor)s
      AND time BETWEEN %(start)s - day.number * interval '1 day' - %(reach)s
                   AND %(start)s - day.number * interval '1 day' + %(reach)s
    OFFSET 0) AS reading
ORDER BY day.number, reading.time
"""


def _days(anomaly: Anomaly, policy: ValidationPolicy, faults: Periods) -> list[Series]:
    """What was read around this time of day on the days before, newest day first."""
    asked: dict[str, Any] = {
        "sensor": anomaly.sensor_id,
        "start": anomaly.start,
        "reach": SEASON_REACH,
        "days": policy.seasonal_days,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SEASON, asked)
        rows = cursor.fetchall()
    days: dict[int, list[tuple[datetime, float, float]]] = {}
    for number, *reading in rows:
        days.setdefault(number, []).append(tuple(reading))
    return [_healthy(Series.of(day), faults) for day in days.values()]

"""Which machines have to be scored at every look, and which can wait.

A score depends on the past alone, so one pass over the whole range says beforehand when anomalies
begin. Before that, and once all has calmed down, scoring a machine at every look finds nothing and
leaves nothing but later looks with more to do: its notes are kept until something stirs. What comes
out is the same (a test runs both), in a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from anomalies import predicted, silence
from anomalies.models import Anomaly

# What may yet change by readings, and what is not over.
_UNSETTLED = """
SELECT sensor_id FROM anomalies_anomaly
WHERE withdrawn_at IS NULL AND (is_open OR routing_due_at IS NOT NULL
    OR validation_due_at IS NOT NULL OR episode_due_at IS NOT NULL
    OR (routed_until IS NULL AND detector <> ALL(%s)))
UNION SELECT a.sensor_id FROM anomalies_anomaly a
JOIN anomalies_episode e ON e.id = a.episode_id WHERE e.state <> 'resolved'
"""
# What is to be told, and windows, which may end early.
_RESTLESS = """
SELECT EXISTS (SELECT FROM anomalies_notification WHERE message_id IS NULL AND dropped = '')
    OR EXISTS (SELECT FROM anomalies_message WHERE state = 'waiting')
    OR EXISTS (SELECT FROM anomalies_windowoccurrence)
"""
_UNROUTED = [silence.DETECTOR, predicted.DETECTOR]


@dataclass
class Stirring:
    """spans: (start, end, sensor) of anomalies to come, by start; machines: sensor → its machine's
    sensors, itself among them."""

    spans: list[tuple[datetime, datetime, int]]
    machines: Mapping[int, frozenset[int]]

    def awake(self, at: datetime) -> set[int]:
        """Sensors to score by now. Ask with times that go forward."""
        stirred = {sensor for start, _, sensor in self.spans if start <= at} | _unsettled()
        self.spans = [span for span in self.spans if span[1] > at]
        return {other for sensor in stirred for other in self.machines[sensor]}


def is_restless() -> bool:
    """Whether time alone may change something."""
    with connection.cursor() as cursor:
        cursor.execute(_RESTLESS)
        return bool(cursor.fetchone()[0])


def spans_found() -> list[tuple[datetime, datetime, int]]:
    """Of the anomalies that stand, found in readings."""
    rows = Anomaly.objects.standing().of_readings().order_by("start", "pk")
    return list(rows.values_list("start", "end", "sensor"))


def machines(sensors: Iterable[tuple[int, int | None]]) -> dict[int, frozenset[int]]:
    """Which sensors go together; sensors: (sensor, machine or None).

    >>> machines([(1, 7), (2, 7), (3, None)])[2] == frozenset({1, 2})
    True
    """
    known = list(sensors)
    together: dict[int, set[int]] = {}
    for sensor, asset in known:
        if asset is not None:
            together.setdefault(asset, set()).add(sensor)
    return {
        sensor: frozenset({sensor} if asset is None else together[asset]) for sensor, asset in known
    }


def _unsettled() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(_UNSETTLED, [_UNROUTED])
        return {sensor for (sensor,) in cursor.fetchall()}

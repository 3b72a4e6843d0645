"""Which machines have to be scored at a step, and whether there is anything to do at all.

A score depends on the past alone, so one pass over the whole range says beforehand when anomalies
begin. Before that, and once all has calmed down, looking at a machine finds nothing and leaves
nothing but later looks with more to do. While an episode is open, it changes by what its sensors
read and by what falls due, and both are known. So most steps are passed over: what comes out is the
same (a test runs both), in a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from anomalies import predicted, silence
from anomalies.episodes.policy import EpisodePolicies
from anomalies.models import Anomaly, NotificationRoute
from anomalies.replay.arrivals import Arrivals
from anomalies.scored import SEVERITY_STEPS
from sensors.models import Sensor

# Whatever falls due in a way that is not foreseen here falls due within a day.
AT_LEAST_EVERY = timedelta(days=1)

# What may yet change: by itself, or by readings of its sensor, or of its machine's.
_UNSETTLED = """
SELECT sensor_id, asset_id IS NOT NULL,
    routing_due_at IS NOT NULL OR validation_due_at IS NOT NULL OR episode_due_at IS NOT NULL,
    is_open AND score < %s
FROM anomalies_anomaly
WHERE withdrawn_at IS NULL AND (is_open OR routing_due_at IS NOT NULL
    OR validation_due_at IS NOT NULL OR episode_due_at IS NOT NULL
    OR (routed_until IS NULL AND detector <> ALL(%s)))
"""
_EPISODES = """
SELECT e.last_at, array_agg(DISTINCT a.sensor_id)
FROM anomalies_episode e
JOIN anomalies_anomaly a ON a.episode_id = e.id AND a.withdrawn_at IS NULL
WHERE e.state <> 'resolved' GROUP BY e.id
"""
# What is to be told, and windows that may end early or have a report to write.
_RESTLESS = """
SELECT EXISTS (SELECT FROM anomalies_notification WHERE message_id IS NULL AND dropped = '')
    OR EXISTS (SELECT FROM anomalies_message WHERE state = 'waiting'),
    (SELECT min(start) FROM anomalies_windowoccurrence WHERE reported_at IS NULL)
"""
_UNROUTED = [silence.DETECTOR, predicted.DETECTOR]

Span = tuple[datetime, datetime, int]


@dataclass
class Stirring:
    """spans: (start, end, sensor) of anomalies to come, by start; machines: sensor → its machine's
    sensors, itself among them; kinds: of the sensors. `look` first, and after whatever was done."""

    spans: list[Span]
    machines: Mapping[int, frozenset[int]]
    kinds: Mapping[int, str]
    policies: EpisodePolicies
    restless: bool = field(default=True, init=False)
    _looked_at: datetime | None = field(default=None, init=False)
    _due: set[int] = field(default_factory=set, init=False)
    _by_readings: list[frozenset[int]] = field(default_factory=list, init=False)
    _episodes: list[tuple[datetime, list[int]]] = field(default_factory=list, init=False)
    _windows_from: datetime | None = field(default=None, init=False)
    _rising: bool = field(default=False, init=False)
    _repeats: bool | None = field(default=None, init=False)

    def look(self, at: datetime) -> None:
        """See what there is to wait for."""
        self._looked_at = at
        with connection.cursor() as cursor:
            cursor.execute(_UNSETTLED, [SEVERITY_STEPS[-1], _UNROUTED])
            unsettled = cursor.fetchall()
            cursor.execute(_EPISODES)
            self._episodes = cursor.fetchall()
            cursor.execute(_RESTLESS)
            self.restless, self._windows_from = cursor.fetchone()
        self._due = {sensor for sensor, _, due, _ in unsettled if due}
        self._by_readings = [
            self._with(sensor) if together else frozenset({sensor})
            for sensor, together, _, _ in unsettled
        ]
        self._rising = any(rises for *_, rises in unsettled)

    def awake(self, at: datetime, arrivals: Arrivals) -> set[int]:
        """Sensors to score by now. Ask with times that go forward."""
        stirred = set(self._due)
        for sensors in self._by_readings:
            if arrivals.has_news(sensors):
                stirred |= sensors
        for start, _, sensor in self.spans:
            if start > at:
                break
            if arrivals.has_news(self._with(sensor)):
                stirred.add(sensor)
        for last, moved in self._episodes:
            if self._may_be_calm(last, moved, arrivals) and arrivals.has_news(moved):
                stirred |= set(moved)
        self.spans = [span for span in self.spans if span[1] > at]
        return {other for sensor in stirred for other in self._with(sensor)}

    def is_due(self, at: datetime) -> bool:
        """Whether time alone may change something."""
        return (
            self.restless
            or self._looked_at is None
            or at - self._looked_at >= AT_LEAST_EVERY
            or (self._windows_from is not None and self._windows_from <= at)
        )

    @property
    def rises(self) -> bool:
        """Whether a silence becomes more severe as it goes on."""
        return self._rising

    @property
    def repeats(self) -> bool:
        """Whether what is open may be told once more."""
        if self._repeats is None:
            again = Q(after_minutes__gt=0) | Q(repeat_minutes__gt=0)
            self._repeats = NotificationRoute.objects.filter(again, enabled=True).exists()
        return self._repeats and bool(self._episodes)

    def _with(self, sensor: int) -> frozenset[int]:
        """The sensors of its machine; itself alone where it is retired."""
        return self.machines.get(sensor, frozenset({sensor}))

    def _may_be_calm(self, last: datetime, sensors: Iterable[int], arrivals: Arrivals) -> bool:
        """Whether all that moved have been heard of for long enough since."""
        for sensor in sensors:
            newest = arrivals.newest_of(sensor)
            rule = self.policies.of(self.kinds.get(sensor, ""))
            if newest is not None and newest - last < timedelta(seconds=rule.exit_quiet_s):
                return False
        return True


def spans_found() -> list[Span]:
    """Of the anomalies that stand, found in readings."""
    rows = Anomaly.objects.standing().of_readings().order_by("start", "pk")
    return list(rows.values_list("start", "end", "sensor"))


def machines(sensors: Iterable[Sensor]) -> dict[int, frozenset[int]]:
    """Which sensors go together."""
    known = list(sensors)
    together: dict[int, set[int]] = {}
    for sensor in known:
        if sensor.asset_id is not None:
            together.setdefault(sensor.asset_id, set()).add(sensor.pk)
    return {
        sensor.pk: frozenset({sensor.pk} if sensor.asset_id is None else together[sensor.asset_id])
        for sensor in known
    }

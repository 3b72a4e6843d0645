"""Readings as they came: what the acquisition agent left behind when each was stored.

The readings are stored already. What it leaves besides is written by its own statements: the
profiles of their sensors, and the notes of what is to be scored. Arrival times are not stored, so
each reading comes when it was measured.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import numpy as np
from django.db import connection

from sensors import profiles, statements
from sensors.copying import as_times, copied
from sensors.models import ScoringNote, SensorProfile
from sensors.series import TimeArray, to_datetime, to_datetime64
from sensors.store import Columns

AT_ONCE = timedelta(hours=6)
NEVER = np.datetime64("0001-01-01", "us")
_COLUMNS = {
    "sensor_id": "bigint",
    "time": "timestamptz",
    "value": "float8",
    "quality": "float4",
    "flags": "int2",
}
_BETWEEN = f"""
SELECT {", ".join(_COLUMNS)} FROM public.sensors_reading
WHERE sensor_id = ANY(%s) AND time > %s AND time <= %s ORDER BY time, sensor_id
"""  # noqa: S608  constants
# As acquisition would have it at the beginning, as far as the agents ask for it.
_PROFILES = """
INSERT INTO sensors_sensorprofile (sensor_id, count, mean, m2, quality_mean, first_time, last_time,
    last_value, interval_s, kept_from, updated_at)
SELECT p.sensor_id, p.count, p.mean, p.m2, p.quality_mean, p.first_time, newest.time, newest.value,
    p.interval_s, p.kept_from, newest.time
FROM public.sensors_sensorprofile p, LATERAL (
    SELECT time, value FROM public.sensors_reading r
    WHERE r.sensor_id = p.sensor_id AND r.time <= %s ORDER BY time DESC LIMIT 1) AS newest
WHERE p.sensor_id = ANY(%s)
"""
# However many came at once, each came when it was measured.
_AS_MEASURED = (
    "UPDATE sensors_sensorprofile SET updated_at = last_time WHERE updated_at > last_time"
)


class Arrivals:
    """Hands out the readings of some sensors in the order of the clock.

    `advance` says that time went on, which costs little. The agents know of it after `settle`, and
    what is to be scored after `note`.
    """

    def __init__(self, sensors: Collection[int], at: datetime) -> None:
        self.sensors = np.array(sorted(sensors), np.int64)
        self.at = at
        self.rows = 0
        self.newest: TimeArray = np.full(len(self.sensors), NEVER)
        self._place = {pk: place for place, pk in enumerate(self.sensors.tolist())}
        self._noted = self.newest.copy()
        self._unsettled: list[Columns] = []
        self._settled_at = at
        self._loaded: Columns | None = None
        self._loaded_until: datetime | None = None
        self._first: dict[int, datetime] = {}

    def begin(self) -> None:
        """The profiles, as they were."""
        with connection.cursor() as cursor:
            cursor.execute(_PROFILES, [self.at, self.sensors.tolist()])
        known = SensorProfile.objects.filter(last_time__isnull=False)
        for pk, last in known.values_list("sensor", "last_time"):
            self.newest[self._place[pk]] = to_datetime64(last)  # type: ignore[arg-type]  # filtered
        self._noted = self.newest.copy()

    def advance(self, at: datetime) -> None:
        """What was measured up to `at` has come."""
        readings = self._up_to(at)
        self.at = at
        if len(readings):
            self.rows += len(readings)
            self._unsettled.append(readings)
            places = np.searchsorted(self.sensors, readings.sensor_ids)
            np.maximum.at(self.newest, places, readings.times)
        if at - self._settled_at >= AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """Write down what the sensors look like by now."""
        parts, self._unsettled, self._settled_at = self._unsettled, [], self.at
        if not parts:
            return
        readings = _joined(parts)
        ordered = readings.take(np.lexsort((readings.times, readings.sensor_ids)))
        found = profiles.summarise(ordered)
        statements.run(profiles.MERGE, found.params(self.at))
        with connection.cursor() as cursor:
            cursor.execute(_AS_MEASURED)
        for sensor, first in zip(found.sensor_ids.tolist(), found.first_times, strict=True):
            self._first.setdefault(sensor, to_datetime(first))

    def has_news(self, sensors: Iterable[int]) -> bool:
        """Whether anything came of these since they were last noted."""
        places = [self._place[pk] for pk in sensors if pk in self._place]
        return bool((self.newest[places] > self._noted[places]).any())

    def newest_of(self, sensor: int) -> datetime | None:
        """None for one that is not waited for: it is retired."""
        place = self._place.get(sensor)
        return None if place is None else to_datetime(self.newest[place])

    def note(self, sensors: Iterable[int]) -> int:
        """Note what came of these sensors since they were last noted, and was settled; of how
        many."""
        due = sorted(set(sensors) & self._first.keys())
        places = [self._place[pk] for pk in due]
        self._noted[places] = self.newest[places]
        ScoringNote.objects.bulk_create(
            ScoringNote(sensor_id=pk, since=self._first.pop(pk), until=to_datetime(until))
            for pk, until in zip(due, self.newest[places], strict=True)
        )
        return len(due)

    def _up_to(self, at: datetime) -> Columns:
        """The readings after the last ones that were handed out."""
        parts = []
        while self._loaded is None or self._loaded_until is None or self._loaded_until < at:
            if self._loaded is not None:
                parts.append(self._loaded)
            self._load(max(at, (self._loaded_until or self.at) + AT_ONCE))
        n = int(np.searchsorted(self._loaded.times, to_datetime64(at), side="right"))
        rows = np.arange(len(self._loaded))
        parts.append(self._loaded.take(rows[:n]))
        self._loaded = self._loaded.take(rows[n:])
        return _joined(parts)

    def _load(self, until: datetime) -> None:
        since = self._loaded_until or self.at
        found = copied(_BETWEEN, [self.sensors.tolist(), since, until], _COLUMNS)
        self._loaded_until = until
        self._loaded = Columns(
            found["sensor_id"], as_times(found["time"]), found["value"], found["quality"],
            found["flags"],
        )  # fmt: skip


def _joined(parts: list[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    names = Columns.__dataclass_fields__
    return Columns(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

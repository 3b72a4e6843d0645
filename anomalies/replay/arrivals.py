"""Readings as they came: what the acquisition agent left behind when each was stored.

The readings are stored already. What it leaves besides is written by its own statements: the
profiles of their sensors, and the notes of what is to be scored. Arrival times are not stored, so
each reading comes when it was measured.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from django.db import connection

from sensors import profiles, statements
from sensors.copying import as_times, copied
from sensors.models import ScoringNote
from sensors.series import to_datetime, to_datetime64
from sensors.store import Columns

AT_ONCE = timedelta(hours=6)
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


@dataclass
class Arrivals:
    """Hands out the readings of some sensors in the order of the clock."""

    sensors: Collection[int]
    at: datetime
    rows: int = 0
    _loaded: Columns | None = None
    _loaded_until: datetime | None = None
    _noted: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)

    def begin(self) -> None:
        """The profiles, as they were."""
        with connection.cursor() as cursor:
            cursor.execute(_PROFILES, [self.at, list(self.sensors)])

    def advance(self, at: datetime) -> None:
        """What was measured up to `at` is there; what is to be scored is noted by `note`."""
        readings = self._up_to(at)
        self.at = at
        if not len(readings):
            return
        self.rows += len(readings)
        ordered = readings.take(np.lexsort((readings.times, readings.sensor_ids)))
        found = profiles.summarise(ordered)
        statements.run(profiles.MERGE, found.params(at))
        columns = (found.sensor_ids.tolist(), found.first_times, found.last_times)
        for sensor, first, last in zip(*columns, strict=True):
            since, _ = self._noted.get(sensor, (to_datetime(first), None))
            self._noted[sensor] = (since, to_datetime(last))

    def note(self, sensors: Iterable[int]) -> int:
        """Note what came of these sensors since they were last noted; of how many."""
        due = sorted(set(sensors) & set(self._noted))
        ScoringNote.objects.bulk_create(
            ScoringNote(sensor_id=pk, since=since, until=until)
            for pk, (since, until) in ((pk, self._noted.pop(pk)) for pk in due)
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
        found = copied(_BETWEEN, [list(self.sensors), since, until], _COLUMNS)
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

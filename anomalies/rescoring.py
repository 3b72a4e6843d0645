"""Scoring stored readings again on purpose: durable notes that all workers share."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection, transaction

from anomalies.models import DetectionLease
from sensors.models import ScoringNote, Sensor
from sensors.querysets import ScoringNoteQuerySet, SensorQuerySet

MANUAL = ScoringNote.Reason.MANUAL
# Its newest and oldest reading in the range say what there is to score of a sensor, if anything.
_RANGES = """
SELECT sensor.id, oldest.time, newest.time
FROM unnest(%(sensors)s::bigint[]) AS sensor (id)
CROSS JOIN LATERAL (SELECT time FROM sensors_reading WHERE sensor_id = sensor.id
    AND time BETWEEN %(since)s AND %(until)s ORDER BY time LIMIT 1) AS oldest
CROSS JOIN LATERAL (SELECT time FROM sensors_reading WHERE sensor_id = sensor.id
    AND time BETWEEN %(since)s AND %(until)s ORDER BY time DESC LIMIT 1) AS newest
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """sensors: those with readings in the range; new: of how many a note was written just now."""

    sensors: tuple[int, ...]
    new: int


def sensors_named(names: Collection[str], site: str | None) -> SensorQuerySet:
    """Sensors that detection works on, by external id; all of them when none is named.

    Raises LookupError, which says what is not known.
    """
    found = Sensor.objects.scored()
    if site is not None:
        found = found.filter(site__slug=site)
        if not found.exists():
            raise LookupError(f"There is no site {site}, or it has no sensors.")
    if not names:
        return found
    found = found.filter(external_id__in=names)
    unknown = sorted(set(names) - set(found.values_list("external_id", flat=True)))
    if unknown:
        raise LookupError(f"There is no sensor {', '.join(unknown)} that is not retired.")
    return found


def ranges_of(
    sensors: SensorQuerySet, *, since: datetime, until: datetime
) -> list[tuple[int, datetime, datetime]]:
    """(sensor, oldest, newest reading in the range) of those that have any there."""
    wanted = list(sensors.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(_RANGES, {"sensors": wanted, "since": since, "until": until})
        return cursor.fetchall()


@transaction.atomic
def ask(sensors: SensorQuerySet, *, since: datetime, until: datetime) -> Asked:
    """Note the readings with since <= time <= until to be scored again; asking twice is once."""
    ranges = ranges_of(sensors, since=since, until=until)
    known = set(_waiting([pk for pk, *_ in ranges]).values_list("sensor_id", "since", "until"))
    new = [
        ScoringNote(sensor_id=pk, since=first, until=last, reason=MANUAL)
        for pk, first, last in ranges
        if (pk, first, last) not in known
    ]
    ScoringNote.objects.bulk_create(new, batch_size=1000)
    return Asked(tuple(pk for pk, *_ in ranges), len(new))


def waiting(sensors: Collection[int]) -> int:
    """How many of these sensors still have such notes."""
    return _waiting(sensors).values("sensor").distinct().count()


def failing(sensors: Collection[int], *, attempts: int) -> list[int]:
    """Those of which scoring failed so often since it last succeeded."""
    stuck = DetectionLease.objects.filter(sensor__in=sensors, attempts__gte=attempts)
    return sorted(stuck.values_list("sensor_id", flat=True))


def _waiting(sensors: Collection[int]) -> ScoringNoteQuerySet:
    return ScoringNote.objects.filter(reason=MANUAL, held=False, sensor__in=sensors)


def moment(text: str) -> datetime:
    """An ISO 8601 time or date, in UTC unless it says otherwise. ValueError for anything else.

    >>> moment("2026-03-01")
    datetime.datetime(2026, 3, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)

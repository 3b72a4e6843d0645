"""What is remembered of a sensor, for a second look at its odd readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from anomalies import exclusions
from anomalies.familiar.hours import DAYS
from anomalies.familiar.look import Past
from anomalies.stretch import Stretch
from sensors import hours, states
from sensors.clocks import changes
from sensors.kinds import kind_named
from sensors.models import Sensor
from sensors.operating import ran_throughout
from sensors.presentation import zone_of
from sensors.series import to_datetime
from sensors.slices import Buckets

HOUR = timedelta(hours=1)
REACH = timedelta(days=DAYS) + 2 * HOUR


def pasts_of(looked_at: Sequence[tuple[Sensor, Stretch]]) -> list[Past]:
    """Of each sensor the hours that the rows of its stretch may know: those in which its machine
    ran throughout, and without those of confirmed faults."""
    if not looked_at:
        return []
    asked = [(sensor.pk, *_reach(stretch)) for sensor, stretch in looked_at]
    ids = [sensor.pk for sensor, _ in looked_at]
    told, blamed = states.told_of(ids), exclusions.known_of(ids)
    found = []
    for (sensor, _), (pk, *span), known in zip(
        looked_at, asked, hours.hours_of(asked), strict=True
    ):
        usable = known
        if pk in told:
            usable = _ran(pk, usable, *span)
        if pk in blamed:
            usable = _healthy(pk, usable, *span)
        found.append(
            Past(
                usable,
                only_rises=kind_named(sensor.kind).worsens > 0,
                changes=changes(zone_of(sensor.site.timezone), *span),
            )
        )
    return found


def _reach(stretch: Stretch) -> tuple[datetime, datetime]:
    first, last = (
        to_datetime(stretch.times[row]).replace(minute=0, second=0, microsecond=0)
        for row in (0, -1)
    )
    return first - REACH, last + HOUR


def _ran(sensor_id: int, known: Buckets, since: datetime, until: datetime) -> Buckets:
    intervals = states.intervals_of(sensor_id, since, until)
    begins = known.begins.astype("datetime64[us]")
    return known.take(ran_throughout(begins, np.timedelta64(HOUR), intervals))


def _healthy(sensor_id: int, known: Buckets, since: datetime, until: datetime) -> Buckets:
    faults = exclusions.confirmed_fault_periods(sensor_id, since=since, until=until)
    begins = known.begins.astype("datetime64[us]")
    usable = np.ones(len(begins), np.bool_)
    for start, end in zip(faults.since, faults.until, strict=True):
        usable &= (begins + np.timedelta64(HOUR) <= start) | (begins > end)
    return known.take(usable)

"""What is remembered of a sensor, for a second look at its odd readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from anomalies import exclusions
from anomalies.familiar.hours import DAYS
from anomalies.familiar.look import Past
from anomalies.scoring import Stretch
from sensors import hours, states
from sensors.clocks import changes
from sensors.kinds import kind_named
from sensors.models import Sensor
from sensors.operating import ran_throughout
from sensors.presentation import zone_of
from sensors.series import to_datetime

HOUR = timedelta(hours=1)
REACH = timedelta(days=DAYS) + 2 * HOUR


def pasts_of(looked_at: Sequence[tuple[Sensor, Stretch]]) -> list[Past]:
    """Of each sensor the hours that the rows of its stretch may know."""
    ids = [sensor.pk for sensor, _ in looked_at]
    hours.catch_up(ids)
    told, blamed = states.told_of(ids), exclusions.known_of(ids)
    return [
        _past(sensor, stretch, told=sensor.pk in told, blamed=sensor.pk in blamed)
        for sensor, stretch in looked_at
    ]


def _past(sensor: Sensor, stretch: Stretch, *, told: bool, blamed: bool) -> Past:
    """The hours in which its machine ran throughout, and without those of confirmed faults.

    told, blamed: whether a state was ever told, a fault ever confirmed.
    """
    first, last = (to_datetime(stretch.times[row]) for row in (0, -1))
    since = first.replace(minute=0, second=0, microsecond=0) - REACH
    until = last.replace(minute=0, second=0, microsecond=0) + HOUR
    known = hours.hours_of(sensor.pk, since=since, until=until)
    begins = known.begins.astype("datetime64[us]")
    usable = np.ones(len(begins), np.bool_)
    if told:
        intervals = states.intervals_of(sensor.pk, since, until)
        usable &= ran_throughout(begins, np.timedelta64(HOUR), intervals)
    if blamed:
        faults = exclusions.confirmed_fault_periods(sensor.pk, since=since, until=until)
        for start, end in zip(faults.since, faults.until, strict=True):
            usable &= (begins + np.timedelta64(HOUR) <= start) | (begins > end)
    return Past(
        known.take(usable),
        only_rises=kind_named(sensor.kind).worsens > 0,
        changes=changes(zone_of(sensor.site.timezone), since, until),
    )

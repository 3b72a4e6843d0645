"""Priors of fleets: made of the sensors of a kind at a site, and which one judges a new sensor.

Which prior judges a reading is settled by what is stored. A sensor is judged by the newest prior
that served when it was registered; one that is older than all of these, by the first one. And a
prior judges only readings measured a while after it was made: none of them can have been scored
before it existed. So a prior that is made changes nothing that was found before, and the same
readings end in the same anomalies however they come.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from mlops.datasets import Ranges, known_faults
from mlops.detectors import fleet
from mlops.detectors.fleet import FEWEST_SENSORS, LEAST_ROWS, MOST_SENSORS
from mlops.detectors.newcomer import OTHER_RHYTHM
from mlops.models import FleetPrior
from sensors import states
from sensors.kinds import OTHER
from sensors.models import Reading, Sensor
from sensors.operating import RUNNING
from sensors.series import Series, TimeArray, to_datetime, to_datetime64

MAX_ROWS = 8_640  # of a sensor, the newest: 60 days at ten minutes
HEARD = timedelta(days=30)
# Readings are accepted from clocks that are minutes ahead, and a pass over fleets takes some.
SERVES_AFTER = timedelta(hours=1)
RENEWED_AFTER = timedelta(days=30)
GROWN = 1.5  # times as many sensors: worth a new one before that

Key = tuple[int, str, str]  # site, kind, unit


def learn_due(*, now: datetime, seconds: float) -> list[FleetPrior]:
    """Make the priors that are missing, old, or of a much smaller fleet; what was made.

    Stops after `seconds`; what is left is due the next time, the oldest first.
    """
    began, made = time.monotonic(), []
    for key, sensors in due(now=now):
        if time.monotonic() - began > seconds:
            break
        if (prior := _learn(key, sensors, now)) is not None:
            made.append(prior)
    return made


def of_sensors(sensors: Iterable[Sensor]) -> dict[int, FleetPrior]:
    """The prior that may judge the first readings of each of these sensors, if there is one."""
    asked = list(sensors)
    if not asked:
        return {}
    known: dict[Key, list[FleetPrior]] = {}
    rows = FleetPrior.objects.filter(
        site__in={sensor.site_id for sensor in asked},
        kind__in={sensor.kind for sensor in asked},
        revision=fleet.REVISION,
    )
    for prior in rows.order_by("made_at", "pk"):
        known.setdefault((prior.site_id, prior.kind, prior.unit), []).append(prior)
    return {
        sensor.pk: _chosen(sensor, own)
        for sensor in asked
        if (own := known.get((sensor.site_id, sensor.kind, sensor.unit)))
    }


def _chosen(sensor: Sensor, priors: Sequence[FleetPrior]) -> FleetPrior:
    # Not by when it was made: a pass over fleets ends later than it begins, and what is chosen once
    # must stay.
    before = [prior for prior in priors if prior.serves_from <= sensor.created_at]
    return before[-1] if before else priors[0]


def due(*, now: datetime) -> list[tuple[Key, list[Sensor]]]:
    """Fleets of which no prior is known, or an old one, with their sensors; those known least
    first."""
    fleets: dict[Key, list[Sensor]] = {}
    heard = Q(profile__last_time__gte=now - HEARD, profile__count__gte=LEAST_ROWS)
    for sensor in Sensor.objects.scored().filter(heard).exclude(kind=OTHER.name).order_by("pk"):
        fleets.setdefault((sensor.site_id, sensor.kind, sensor.unit), []).append(sensor)
    newest: dict[Key, FleetPrior] = {}
    for prior in FleetPrior.objects.filter(revision=fleet.REVISION).order_by("made_at", "pk"):
        newest[prior.site_id, prior.kind, prior.unit] = prior
    found = [
        (newest.get(key), key, sensors)
        for key, sensors in fleets.items()
        if len(sensors) >= FEWEST_SENSORS and _is_due(newest.get(key), len(sensors), now)
    ]
    long_ago = datetime.min.replace(tzinfo=UTC)
    found.sort(key=lambda one: one[0].made_at if one[0] else long_ago)
    return [(key, sensors) for _, key, sensors in found]


def _is_due(newest: FleetPrior | None, sensors: int, now: datetime) -> bool:
    if newest is None or newest.made_at <= now - RENEWED_AFTER:
        return True
    return min(sensors, MOST_SENSORS) >= GROWN * len(newest.sensors)


def _learn(key: Key, sensors: Sequence[Sensor], now: datetime) -> FleetPrior | None:
    lent = _alike(_histories(sensors[:MOST_SENSORS], now))
    if not lent:
        return None
    interval_s = float(np.median([_interval_s(series) for series in lent.values()]))
    prior = fleet.learn([series.values for series in lent.values()], interval_s)
    if prior is None:
        return None
    site, kind, unit = key
    return FleetPrior.objects.create(
        site_id=site,
        kind=kind,
        unit=unit,
        made_at=now,
        serves_from=now + SERVES_AFTER,
        revision=fleet.REVISION,
        sensors=[_made_of(pk, series) for pk, series in lent.items()],
        prior=prior.as_dict(),
    )


def _histories(sensors: Sequence[Sensor], now: datetime) -> dict[int, Series]:
    """What may be learnt from: without known faults and without the machine's standstill."""
    ids = [sensor.pk for sensor in sensors]
    faults, told = known_faults(ids), states.told_of(ids)
    found = {}
    for pk in ids:
        series = Reading.objects.before(pk, now, MAX_ROWS)
        healthy = ~_covered(series.times, faults.get(pk, ()))
        if pk in told and (known := states.states_of(pk, series.times)) is not None:
            healthy &= known == RUNNING
        found[pk] = Series(series.times[healthy], series.values[healthy], series.quality[healthy])
    return found


def _covered(times: TimeArray, spans: Ranges) -> NDArray[np.bool_]:
    inside = np.zeros(len(times), np.bool_)
    for start, end in spans:
        inside |= (times >= to_datetime64(start)) & (times <= to_datetime64(end))
    return inside


def _alike(histories: Mapping[int, Series]) -> dict[int, Series]:
    """Those with history enough that speak about as often as the others."""
    usable = {pk: series for pk, series in histories.items() if fleet.is_usable(series.values)}
    if not usable:
        return {}
    usual = float(np.median([_interval_s(series) for series in usable.values()]))
    return {
        pk: series
        for pk, series in usable.items()
        if usual / OTHER_RHYTHM < _interval_s(series) < usual * OTHER_RHYTHM
    }


def _interval_s(series: Series) -> float:
    micros = np.diff(series.times.astype("datetime64[us]")).astype(np.int64)
    return max(float(np.median(micros)) / 1e6, 1e-6)


def _made_of(sensor: int, series: Series) -> list[int | str]:
    return [sensor, len(series), to_datetime(series.times[-1]).isoformat()]

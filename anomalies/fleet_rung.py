"""Who is new among the sensors to be scored, by which fleet's prior, and its scores again."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import F

from anomalies import newcomers
from anomalies.models import Anomaly
from anomalies.newcomers import Fleet
from anomalies.regions import Region
from anomalies.stretch import Stretch
from mlops import fleets, serving
from mlops.detectors import fleet
from mlops.detectors.fleet import Prior
from mlops.detectors.newcomer import ROWS
from mlops.models import FleetPrior
from sensors.models import SensorProfile
from sensors.series import FloatArray, to_datetime64

DETECTOR = fleet.NAME


class AnotherFleet(serving.Unavailable):
    """The detector is not any more what it was when it gave a score."""


def fleets_of(some: Iterable[Region]) -> dict[int, Fleet]:
    """The fleet of each sensor of which some of the first readings are to be scored, by sensor id.

    One whose first readings are past their retention is not judged anew by what is left.
    """
    young = [one.sensor for one in some if one.stretch.first < ROWS]
    found = fleets.of_sensors(young)
    lost = _without_first(found)
    return {pk: fleet_of(row) for pk, row in found.items() if pk not in lost}


def _without_first(sensor_ids: Collection[int]) -> set[int]:
    """Those of which the first readings were dropped."""
    if not sensor_ids:
        return set()
    rows = SensorProfile.objects.filter(sensor__in=sensor_ids, kept_from__gt=F("first_time"))
    return set(rows.values_list("sensor", flat=True))


def fleet_of(row: FleetPrior) -> Fleet:
    since = to_datetime64(row.serves_from)
    return Fleet(row.name, row.pk, since, Prior.of(row.prior))


def score_again(anomaly: Anomaly, stretch: Stretch, decades: FloatArray) -> float | None:
    """The score that an anomaly's prior gives to the first row of a stretch that is to be scored;
    None when the sensor's first readings were dropped. Raises AnotherFleet."""
    row = FleetPrior.objects.get(pk=anomaly.model_version or 0)
    if row.revision != fleet.REVISION:
        raise AnotherFleet(
            f"it was judged by {row}, made for an earlier release; `manage.py detect` scores the "
            "readings again"
        )
    if _without_first([anomaly.sensor_id]):
        return None
    return newcomers.score_again(stretch, Prior.of(row.prior), decades)

"""The policies that judge: what settings state, and the thresholds that verdicts moved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings

from anomalies import policy
from anomalies.models import Calibration
from anomalies.policy import Policies
from sensors.models import Sensor


def in_force() -> Policies:
    """Raises PolicyError when VALIDATION_POLICY cannot be read."""
    stated = policy.parse(settings.VALIDATION_POLICY)
    rows = list(Calibration.objects.in_force())
    return replace(stated, calibrated=_by_sensor(rows)) if rows else stated


def _by_sensor(rows: list[Calibration]) -> dict[int, dict[str, Any]]:
    """A sensor's own outranks its kind's."""
    moved = {(row.site_id, row.kind): _pair(row) for row in rows if row.sensor_id is None}
    known = Sensor.objects.filter(site__in={site for site, _ in moved})
    found = {
        pk: moved[site, kind]
        for pk, site, kind in known.values_list("pk", "site", "kind")
        if (site, kind) in moved
    }
    return found | {row.sensor_id: _pair(row) for row in rows if row.sensor_id is not None}


def _pair(row: Calibration) -> dict[str, float]:
    return {name: getattr(row, name) for name in policy.THRESHOLDS}

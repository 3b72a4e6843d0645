"""A replaced sensor drifts; a confirmed fault does not, and nothing is said twice."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest
from django.urls import reverse

from anomalies import tasks
from anomalies.models import Verdict
from mlops import drifts
from mlops.models import Drift
from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.generator import draw_behaviour, normal_values
from sensors.models import Sensor
from tests.factories import NOW, make_anomaly, make_person, make_sensor, make_site

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
N, CHANGED = 28 * 24, 72


def measured(seed: int, *, offset: float = 0.0) -> Sensor:
    """Four weeks that end at NOW; the last three days shifted by so many deviations."""
    sensor = make_sensor(kind="temperature", unit="°C")
    rng = np.random.default_rng(seed)
    times = np.datetime64("2026-02-01T00", "us") + np.arange(N + 1) * np.timedelta64(1, "h")
    values = normal_values(draw_behaviour("temperature", rng), times, rng)
    values[-CHANGED - 1 :] += offset * values.std()
    rows = [
        {
            "sensor": sensor.external_id,
            "time": (NOW - (N - i) * HOUR).isoformat(),
            "value": float(value),
        }
        for i, value in enumerate(values)
    ]
    batch = from_json(json.dumps(rows).encode())
    ingest(batch, site=sensor.site, source="http", now=NOW, backfill=True)
    return sensor


def test_a_replaced_sensor_drifts_once_and_the_others_do_not():
    replaced = measured(501, offset=3)
    for seed in range(502, 506):
        measured(seed)
    (found,) = drifts.look(now=NOW)
    assert found.sensor == replaced
    assert found.psi > 0.25
    assert not drifts.look(now=NOW + HOUR)
    assert drifts.look(now=NOW + drifts.COOL_DOWN) == []


def test_a_confirmed_fault_is_no_drift(monkeypatch):
    sensor = measured(501, offset=3)
    start = NOW - CHANGED * HOUR
    make_anomaly(sensor=sensor, start=start, peak=NOW, end=NOW, verdict=Verdict.CONFIRMED)
    monkeypatch.setattr(tasks.timezone, "now", lambda: NOW)
    tasks.look_for_drift()
    assert not Drift.objects.exists()


def test_the_list_shows_drifts_of_the_own_site_alone(client):
    row = Drift.objects.create(
        sensor=make_sensor(), as_of=NOW, found_at=NOW, shift=1.5, psi=3.0, p=0.001
    )
    address = reverse("admin:mlops_drift_changelist")
    client.force_login(make_person(is_staff=True, is_superuser=True))
    assert row.sensor.external_id in client.get(address, secure=True).text
    stranger = make_person(make_site(), is_staff=True)
    from django.contrib.auth.models import Permission

    stranger.user_permissions.add(Permission.objects.get(codename="view_drift"))
    client.force_login(stranger)
    assert row.sensor.external_id not in client.get(address, secure=True).text

"""A replaced sensor drifts; a confirmed fault does not, and nothing is said twice."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from anomalies import detection, tasks, validation
from anomalies.episodes import placing
from anomalies.models import Anomaly, Decision, Verdict
from anomalies.review import review
from mlops import drifts
from mlops.models import Drift
from sensors.acquisition import ingest
from sensors.formats import from_json
from sensors.generator import draw_behaviour, normal_values
from sensors.models import Sensor
from sensors.series import to_datetime64
from tests.factories import NOW, make_anomaly, make_key, make_person, make_sensor, make_site

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
    fault = make_anomaly(sensor=sensor, start=start, peak=NOW, end=NOW)
    review(anomaly=fault, verdict=Verdict.CONFIRMED, note="", person=make_person(), now=NOW)
    monkeypatch.setattr(tasks.timezone, "now", lambda: NOW)
    tasks.look_for_drift()
    assert not Drift.objects.exists()


def lived(shape: np.ndarray, *, seed: int) -> Sensor:
    """As `measured`, every ten minutes and scored as it came; `shape` is added to its end."""
    sensor = make_sensor(kind="temperature", unit="°C")
    rng = np.random.default_rng(seed)
    n = 25 * 144
    times = to_datetime64(NOW) - np.arange(n)[::-1] * np.timedelta64(10, "m")
    values = normal_values(draw_behaviour("temperature", rng), times, rng)
    values[n - len(shape) :] += shape * values.std()
    for part in np.split(np.arange(n), [n - len(shape)]):
        rows = [
            {"sensor": sensor.external_id, "time": f"{times[i]}Z", "value": float(values[i])}
            for i in part
        ]
        batch = from_json(json.dumps(rows).encode())
        ingest(batch, site=sensor.site, source="http", now=NOW, backfill=True)
        while detection.drain(now=NOW, policy=detection.policy()).sensors:
            pass
    while validation.validate_due(now=NOW):
        pass
    placing.place_due(now=NOW, policies=placing.policies())
    return sensor


def credible_since(sensor: Sensor, start: datetime) -> list[Anomaly]:
    found = Anomaly.objects.standing().filter(sensor=sensor, end__gte=start)
    return list(found.exclude(decision=Decision.FALSE_POSITIVE))


@pytest.mark.parametrize("offset", [3.0, 6.0])
@pytest.mark.parametrize("hours", [73, 84, 95])
def test_a_replaced_sensor_is_no_flood_of_anomalies_but_a_drift(offset: float, hours: int) -> None:
    replaced = lived(np.full(hours * 6, offset), seed=602)
    other = lived(np.zeros(6), seed=604)
    changed = credible_since(replaced, NOW - hours * HOUR)
    assert 1 <= len(changed) <= 3
    assert len({each.episode_id for each in changed}) == 1
    assert max(each.end for each in changed) < NOW - 48 * HOUR
    assert credible_since(other, NOW - hours * HOUR) == []
    (found,) = drifts.look(now=NOW)
    assert found.sensor == replaced


@pytest.mark.parametrize("seed", [602, 603])
def test_a_fault_that_grows_is_an_anomaly_and_no_drift(seed: int) -> None:
    failing = lived(np.linspace(0, 8, 84 * 6), seed=seed)
    lived(np.zeros(6), seed=604)
    assert credible_since(failing, NOW - 84 * HOUR)
    assert drifts.look(now=NOW) == []


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


def test_the_api_lists_drifts_of_the_keys_site_alone(client: Client) -> None:
    for kind in ("temperature", "flow"):
        Drift.objects.create(
            sensor=make_sensor(kind=kind), as_of=NOW, found_at=NOW, shift=1.5, psi=3.0, p=0.001
        )
    drift = Drift.objects.get(sensor__kind="flow")
    _, secret = make_key(site=drift.sensor.site, scopes=["read"])

    def listed(**asked: str) -> list[int]:
        answer = client.get(
            reverse("drifts"), asked, headers={"Authorization": f"Api-Key {secret}"}, secure=True
        )
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["results"]]

    assert listed() == listed(kind="flow", since=NOW.isoformat()) == [drift.pk]
    assert listed(kind="temperature") == listed(since=(NOW + HOUR).isoformat()) == []
    assert client.get(reverse("drifts"), secure=True).status_code == 401

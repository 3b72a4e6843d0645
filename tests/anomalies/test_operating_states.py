"""Operating states from the API to the anomalies, and whose they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from anomalies import detection, recomputing
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly
from sensors import states
from sensors.models import Asset, IngestKey, OperatingState, Reading, ScoringNote, Sensor
from tests.factories import make_asset, make_key, make_person, make_sensor

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 20, tzinfo=UTC)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)
CYCLE, ON, CYCLES = 48, 30, 14
N = CYCLE * CYCLES


def vibration() -> np.ndarray:
    rng, phase = np.random.default_rng(3), np.arange(N) % CYCLE
    return np.where(phase < ON, rng.normal(12, 0.5, N), rng.normal(0.3, 0.02, N)).round(2)


def store(sensor: Sensor, values: np.ndarray) -> None:
    Reading.objects.bulk_create(
        Reading(sensor=sensor, time=FIRST + STEP * row, value=value, quality=1.0)
        for row, value in enumerate(values)
    )
    ScoringNote.objects.create(sensor=sensor, since=FIRST, until=FIRST + STEP * (N - 1))


def tag_all(asset: Asset) -> None:
    for first in range(0, N, CYCLE):
        for state, row in (("running", first), ("off", first + ON)):
            states.tag(
                asset=asset, state=state, start=FIRST + STEP * row, end=None, source="plc", now=NOW
            )


def drained(sensor: Sensor) -> list[datetime]:
    while detection.drain(now=NOW, policy=DetectionPolicy()).sensors:
        pass
    found = Anomaly.objects.standing().filter(sensor=sensor).order_by("start")
    return list(found.values_list("start", flat=True))


def test_starts_and_stops_that_are_tagged_raise_nothing_in_whatever_order():
    # Of a pressure nobody knows that it is 0 while the machine stands, until it was seen twice.
    before = make_sensor(asset=make_asset(), kind="pressure")
    after = make_sensor(asset=make_asset(), kind="pressure")
    tag_all(before.asset)
    store(before, vibration())
    store(after, vibration())
    assert drained(before) == []
    assert drained(after)
    tag_all(after.asset)
    assert drained(after) == []


def test_vibration_as_at_rest_is_an_anomaly_while_it_runs_and_can_be_explained():
    sensor, values = make_sensor(asset=make_asset()), vibration()
    row = CYCLE * 11 + 8
    values[row : row + 10] = 0.3
    tag_all(sensor.asset)
    store(sensor, values)
    assert FIRST + STEP * row <= drained(sensor)[0] <= FIRST + STEP * (row + 2)
    anomaly = Anomaly.objects.filter(sensor=sensor).order_by("start")[0]
    assert recomputing.recompute(anomaly).score == pytest.approx(anomaly.score, abs=1e-9)


def test_a_device_tags_its_sites_machine_once_and_no_other(client: Client):
    sensor = make_sensor(asset=make_asset())
    site, url = sensor.site, f"/api/v1/assets/{sensor.asset_id}/states"
    scopes = [IngestKey.Scope.WRITE, IngestKey.Scope.READ]
    header = {"Authorization": f"Api-Key {make_key(site=site, scopes=scopes)[1]}"}
    body = {"state": "off", "start": "2026-03-01T10:00:00Z"}

    def post(**change: object) -> int:
        sent = {**body, **change}
        return client.post(url, sent, content_type="application/json", headers=header).status_code

    assert [post(), post()] == [201, 200]
    assert ScoringNote.objects.filter(sensor=sensor, reason="state").count() == 1
    assert post(end="2026-03-01T09:00:00Z") == post(state="asleep") == 400
    assert [s["state"] for s in client.get(url, headers=header).json()["results"]] == ["off"]
    stranger = {"Authorization": f"Api-Key {make_key(scopes=scopes)[1]}"}
    assert client.get(url, headers=stranger).status_code == 404
    sent = client.post(url, body, content_type="application/json", headers=stranger)
    assert sent.status_code == 404
    assert OperatingState.objects.count() == 1


def test_a_key_that_only_reads_tags_nothing(client: Client):
    asset = make_asset()
    _, secret = make_key(site=asset.site, scopes=[IngestKey.Scope.READ])
    answer = client.post(
        f"/api/v1/assets/{asset.pk}/states",
        {"state": "off", "start": "2026-03-01T10:00:00Z"},
        content_type="application/json",
        headers={"Authorization": f"Api-Key {secret}"},
    )
    assert answer.status_code == 403


def test_the_admin_shows_a_person_the_states_of_their_sites_and_takes_one_back(
    client: Client, admin_client: Client
):
    asset = make_asset()
    sensor = make_sensor(asset=asset)
    row, _ = states.tag(asset=asset, state="off", start=FIRST, end=None, source="", now=NOW)
    for site, seen in ((asset.site, 200), (make_asset().site, 302)):
        person = make_person(site, is_staff=True)
        person.user_permissions.add(Permission.objects.get(codename="view_operatingstate"))
        client.force_login(person)
        address = f"/admin/sensors/operatingstate/{row.pk}/change/"
        assert client.get(address).status_code == seen
    ScoringNote.objects.all().delete()
    page = f"/admin/sensors/operatingstate/{row.pk}/delete/"
    assert admin_client.post(page, {"post": "yes"}).status_code == 302
    assert not OperatingState.objects.exists()
    assert ScoringNote.objects.filter(sensor=sensor, reason="state").exists()

"""Anomalies reach the queue that the stored readings say, in whatever order readings come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.test import Client

from anomalies import routing, scenes
from anomalies.detection_policy import DetectionPolicy
from anomalies.excursion import ROWS
from anomalies.leases import Notes
from anomalies.models import Anomaly, AnomalyRevision, Verdict
from anomalies.review import review
from sensors.models import IngestKey, Sensor
from tests.anomalies import production
from tests.factories import make_anomaly, make_asset, make_key, make_person, make_sensor

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 8, tzinfo=UTC)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)
N, AT = 400, 350


def surge(seed: int, *, leaps: bool = True) -> np.ndarray:
    values = np.random.default_rng(seed).normal(40, 1, N)
    values[AT] += 18 * leaps
    return values


def store(sensor: Sensor, values: np.ndarray, rows: range) -> None:
    """As acquisition commits them."""
    times = [FIRST + STEP * row for row in rows]
    production.commit(sensor, times, values[list(rows)])


def drain_all(minutes: int = 0) -> None:
    now = NOW + timedelta(minutes=minutes)
    production.drain(now=now, policy=DetectionPolicy())


def ruled(sensor: Sensor) -> list[tuple[object, ...]]:
    found = Anomaly.objects.standing().filter(sensor=sensor).order_by("start")
    assert not found.awaiting_routing().exists()
    return list(found.values_list("start", "nature", "nature_sort", "nature_reason"))


def pair() -> tuple[Sensor, Sensor]:
    asset = make_asset()
    return make_sensor(asset=asset, kind="pressure"), make_sensor(asset=asset, kind="pressure")


def test_a_spike_of_one_sensor_goes_to_the_instruments_with_its_sort_in_words():
    one, other = pair()
    store(one, surge(1), range(N))
    store(other, surge(2, leaps=False), range(N))
    drain_all()
    (anomaly,) = Anomaly.objects.standing().filter(sensor=one)
    assert (anomaly.nature, anomaly.nature_sort) == ("instrument", "spike")
    assert anomaly.sentence.endswith(
        "The sensor is at fault (spike): it leapt for one reading and was back at once."
    )


def test_late_readings_of_another_sensor_revise_whose_fault_it_is():
    one, other = pair()
    store(one, surge(1), range(N))
    drain_all()
    assert ruled(one)[0][1:3] == ("instrument", "spike")
    store(other, surge(2), range(N))
    drain_all(1)
    late = ruled(one)
    assert late[0][1:3] == ("machine", "together")
    revision = AnomalyRevision.objects.get(anomaly__sensor=one)
    assert revision.reason == routing.REASON
    assert (revision.before["nature"], revision.after["nature"]) == ("instrument", "machine")
    assert Anomaly.objects.get(sensor=one).validation_due_at is not None
    fresh, beside = pair()
    store(fresh, surge(1), range(N))
    store(beside, surge(2), range(N))
    drain_all(2)
    assert [row[:3] for row in ruled(fresh)] == [row[:3] for row in late]


def test_any_order_of_two_sensors_batches_ends_in_the_same_queue():
    outcomes = []
    for seed in range(2):
        one, other = pair()
        batches = [(s, range(k, k + 50)) for s in (one, other) for k in range(0, N, 50)]
        values = {one: surge(1), other: surge(2)}
        for at in np.random.default_rng(seed).permutation(len(batches)):
            sensor, rows = batches[at]
            store(sensor, values[sensor], rows)
            if at % 2:
                drain_all(seed)
        drain_all(seed)
        outcomes.append([row[:3] for row in ruled(one)] + [row[:3] for row in ruled(other)])
    assert outcomes[0]
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_a_spike_is_one_when_it_is_over():
    one = make_sensor(kind="pressure")
    store(one, surge(1), range(AT + 2))
    drain_all()
    assert ruled(one)[0][1] == "machine"
    store(one, surge(1), range(AT + 2, N))
    drain_all()
    assert ruled(one)[0][1:3] == ("instrument", "spike")


def test_readings_of_another_machine_or_long_after_touch_nothing():
    one, other = pair()
    store(one, surge(1), range(N))
    store(other, surge(2), range(N))
    stranger = make_sensor(site=one.site)
    drain_all()
    routed = Anomaly.objects.get(sensor=one).routed_at
    far = Notes("ingest", NOW, NOW + STEP)
    near = Notes("ingest", FIRST, NOW)
    routing.note({other.pk: [far], stranger.pk: [near]}, now=NOW)
    assert not Anomaly.objects.awaiting_routing().exists()
    assert Anomaly.objects.get(sensor=one).routed_at == routed


def test_the_router_that_dies_leaves_it_to_the_next_after_its_lease(monkeypatch):
    make_anomaly(routing_due_at=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(scenes, "scenes_of", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            routing.route_due(now=NOW)
    routing.route_due(now=NOW)
    assert Anomaly.objects.awaiting_routing().exists()
    routing.route_due(now=NOW + routing.LEASE)
    assert not Anomaly.objects.awaiting_routing().exists()


def test_the_api_lists_the_queue_of_one_site_by_sort(client: Client):
    mine = make_anomaly(nature="instrument", nature_sort="stuck", nature_reason="it repeated")
    make_anomaly(sensor=make_sensor(site=mine.sensor.site))
    make_anomaly(nature="instrument", nature_sort="stuck")  # another site's
    _, secret = make_key(site=mine.sensor.site, scopes=[IngestKey.Scope.READ])
    header = {"Authorization": f"Api-Key {secret}"}
    for query in ("nature=instrument", "nature_sort=stuck"):
        rows = client.get(f"/api/v1/anomalies?{query}", headers=header).json()["results"]
        assert [(row["id"], row["nature_sort"]) for row in rows] == [(mine.pk, "stuck")]
    assert client.get("/api/v1/anomalies?nature_sort=tired", headers=header).status_code == 400


def test_the_admin_shows_the_queue_with_each_sort(admin_client: Client):
    make_anomaly(nature="instrument", nature_sort="saturation", nature_reason="9 of 9 at a bound")
    machine = make_anomaly()
    page = admin_client.get("/admin/anomalies/anomaly/?nature=instrument").content.decode()
    assert "in the sensor: saturation" in page
    assert machine.sensor.external_id not in page


def test_the_excursion_is_kept_with_the_anomaly_and_grows_until_it_is_whole():
    sensor, values = make_sensor(kind="pressure"), surge(1)
    store(sensor, values, range(AT + 1))
    drain_all()
    (anomaly,) = Anomaly.objects.standing().filter(sensor=sensor, start=FIRST + STEP * AT)
    assert len(anomaly.excursion["moved"]) == 1
    assert anomaly.excursion["moved"][0] == pytest.approx(18, abs=5)
    for last in (AT + 3, N - 1):
        store(sensor, values, range(last + 1))
        drain_all(1)
        anomaly.refresh_from_db()
        assert len(anomaly.excursion["moved"]) == min(ROWS, last + 1 - AT)


@pytest.mark.parametrize("is_judged", [False, True])
def test_it_is_judged_again_by_more_of_its_readings_where_people_judged_others(is_judged: bool):
    sensor, values = make_sensor(kind="pressure"), surge(1)
    # It comes back, but for a little: it neither goes on nor is the leap of an instrument.
    values[AT + 1 :] += 2
    earlier = make_anomaly(sensor=sensor, start=FIRST - STEP * 500)
    if is_judged:
        review(anomaly=earlier, verdict=Verdict.FALSE_POSITIVE, note="",
               person=make_person(sensor.site), now=NOW)  # fmt: skip
    store(sensor, values, range(AT + 1))
    drain_all()
    (anomaly,) = Anomaly.objects.standing().filter(sensor=sensor, start=FIRST + STEP * AT)
    Anomaly.objects.update(validation_due_at=None)
    store(sensor, values, range(AT + 3))
    drain_all(1)
    anomaly.refresh_from_db()
    assert len(anomaly.excursion["moved"]) == 3
    assert (anomaly.validation_due_at is not None) == is_judged


def test_the_excursion_is_the_same_in_whatever_order_its_readings_come():
    found = []
    for parts in ([range(N)], [range(AT + 4, N), range(AT + 1), range(AT + 1, AT + 4)]):
        sensor = make_sensor(kind="pressure")
        for part in parts:
            store(sensor, surge(1), part)
            drain_all()
        rows = Anomaly.objects.standing().filter(sensor=sensor).order_by("start")
        found.append(list(rows.values_list("start", "excursion")))
    assert found[0] == found[1] != []

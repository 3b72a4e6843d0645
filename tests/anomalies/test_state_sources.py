"""States that come from a sensor or from a schedule, from readings to anomalies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from sensors import state_sources
from sensors.models import Asset, IngestKey, OperatingState, Sensor, StateSource
from tests.anomalies.calendar import (
    ZONE,
    found,
    grid,
    local_hours,
    noise,
    post,
    starts_within,
    work,
)
from tests.factories import make_asset, make_key, make_person, make_sensor, make_site

pytestmark = pytest.mark.django_db

FIRST = datetime(2026, 5, 4, tzinfo=UTC)  # a Monday
CYCLE, ON = 48, 30
MEANINGS = {"0": "off", "1": "starting", "2": "running"}


def by_sensor() -> tuple[Sensor, Sensor]:
    """A pressure and the sensor that says its machine's state."""
    asset = make_asset(site=make_site(timezone=ZONE))
    pressure, says = (make_sensor(asset=asset, kind=kind) for kind in ("pressure", "other"))
    source = StateSource(asset=asset, sort="sensor", sensor=says, meanings=MEANINGS, since=FIRST)
    source.clean()
    state_sources.put(source, now=timezone.now())
    return pressure, says


def cycles() -> tuple[Any, Any, Any]:
    times, rng = grid(FIRST, 5), np.random.default_rng(3)
    runs = np.arange(len(times)) % CYCLE < ON
    values = np.where(runs, 12, 0.3) + rng.normal(0, 0.3, len(times))
    return times, values.round(2), np.where(runs, 2.0, 0.0)


def test_a_sensor_says_when_the_machine_runs_and_starts_and_stops_are_no_anomaly() -> None:
    pressure, says = by_sensor()
    times, values, states = cycles()
    post(says, times, states)
    work()
    post(pressure, times, values)
    work()
    assert found(pressure) == []
    told = OperatingState.objects.filter(asset=pressure.asset, derived=True)
    assert told.count() == 30
    assert set(told.values_list("source", flat=True)) == {f"sensor {says.pk}"}


def test_states_that_come_late_and_out_of_order_end_as_those_in_time() -> None:
    (early, first), (late, second) = by_sensor(), by_sensor()
    times, values, states = cycles()
    values[500:508] = 5.0  # while it runs
    post(first, times, states)
    post(early, times, values)
    work()
    post(late, times, values)
    work()
    assert found(late) != found(early)
    for piece in np.array_split(np.random.default_rng(1).permutation(len(times)), 5):
        rows = np.sort(piece)
        post(second, times[rows], states[rows])
        work()
    assert found(early)
    assert found(late) == found(early)
    each = [
        list(
            OperatingState.objects.filter(asset=one.asset)
            .order_by("start")
            .values_list("start", "state")
        )
        for one in (early, late)
    ]
    assert each[0] == each[1]


def test_a_week_of_holiday_by_schedule_is_no_anomaly_and_a_standstill_in_a_shift_is_one() -> None:
    sensor = make_sensor(asset=make_asset(site=make_site(timezone=ZONE)), kind="pressure")
    times = grid(FIRST, 28)
    monday = FIRST.date() + timedelta(days=14)
    holidays = [monday + timedelta(days=day) for day in range(7)]
    hours = local_hours(times)
    days = np.arange(len(times)) // 144 % 7
    runs = (days < 5) & (hours >= 6.2) & (hours < 21.99)
    runs &= ~((np.arange(len(times)) // 144 >= 14) & (np.arange(len(times)) // 144 < 21))
    # By day a daily course, at rest nearly nothing.
    values = np.where(runs, 60 + 5 * np.sin(hours / 24 * 6.3), 1.0) + noise(
        len(times), np.random.default_rng(5)
    )
    stands = FIRST + timedelta(days=23, hours=9)  # a Wednesday's forenoon: it should run
    row = int(np.searchsorted(times, np.datetime64(stands.replace(tzinfo=None))))
    values[row : row + 9] = 1 + noise(9, np.random.default_rng(6))
    week = [{"days": [0, 1, 2, 3, 4], "from": "06:00", "until": "22:00"}]
    source = StateSource(
        asset=sensor.asset, sort="schedule", schedule=week, holidays=holidays, since=FIRST
    )
    source.clean()
    state_sources.put(source, now=timezone.now())
    post(sensor, times, values.round(2))
    work()
    assert starts_within(sensor, FIRST + timedelta(days=13), days=9) == []
    assert starts_within(sensor, stands, days=0.1)
    state_sources.remove(source, now=timezone.now())
    work()
    # By itself it learns that the machine stands now and then, and not when it should not.
    assert not starts_within(sensor, stands, days=0.1)


def put(client: Client, asset: Asset, **said: object) -> Any:
    url = f"/api/v1/assets/{asset.pk}/state-source"
    return client.put(url, said, content_type="application/json")


def test_the_api_takes_a_source_and_says_what_is_wrong_with_another(client: Client) -> None:
    asset, stranger = make_asset(), make_sensor()
    sensor = make_sensor(asset=asset)
    client.force_login(make_person(asset.site))
    url = f"/api/v1/assets/{asset.pk}/state-source"
    assert client.get(url).status_code == 404
    good = {"sort": "sensor", "sensor": sensor.pk, "meanings": MEANINGS, "since": FIRST.isoformat()}
    assert put(client, asset, **good).status_code == 200
    assert client.get(url).json()["meanings"] == MEANINGS
    for wrong, named in (
        ({"sensor": None}, "sensor"),
        ({"sensor": stranger.pk}, "sensor"),
        ({"meanings": {}}, "meanings"),
        ({"meanings": {"0": "asleep"}}, "asleep"),
        ({"meanings": {"zero": "off"}}, "zero"),
        ({"sort": "schedule"}, "schedule"),
        ({"sort": "stars"}, "sort"),
        ({"since": "0001-01-01T00:00:00Z"}, "since"),
    ):
        answer = put(client, asset, **{**good, **wrong})
        assert answer.status_code == 400
        assert named in str(answer.json()["error"])
    week = [{"days": [0], "from": "06:00", "until": "22:00"}]
    assert (
        put(client, asset, sort="schedule", schedule=week, holidays=["2026-05-01"]).status_code
        == 200
    )
    assert StateSource.objects.filter(asset=asset).count() == 1
    assert client.delete(url).status_code == 204
    assert not StateSource.objects.exists()


def test_another_site_and_a_device_say_nothing_of_a_machine(client: Client) -> None:
    asset = make_asset()
    week = [{"days": [0], "from": "06:00", "until": "22:00"}]
    state_sources.put(StateSource(asset=asset, sort="schedule", schedule=week), now=timezone.now())
    url = f"/api/v1/assets/{asset.pk}/state-source"
    client.force_login(make_person(make_site()))
    assert put(client, asset, sort="schedule", schedule=week).status_code == 404
    assert client.get(url).status_code == client.delete(url).status_code == 404
    client.logout()
    _, secret = make_key(site=asset.site, scopes=[IngestKey.Scope.READ, IngestKey.Scope.WRITE])
    header = {"Authorization": f"Api-Key {secret}"}
    assert client.get(url, headers=header).status_code == 200
    assert client.delete(url, headers=header).status_code == 403


def test_the_admin_takes_a_schedule_and_names_the_entry_that_is_wrong(admin_client: Client) -> None:
    asset = make_asset()
    page = "/admin/sensors/statesource/add/"
    form = {
        "asset": asset.pk, "sort": "schedule", "since_0": "2026-05-01", "since_1": "00:00:00",
        "meanings": "{}", "schedule": '[{"days": [9], "from": "06:00", "until": "22:00"}]',
        "holidays": "",
    }  # fmt: skip
    answer = admin_client.post(page, form)
    assert "Entry 1: days" in str(answer.context["adminform"].form.errors["schedule"])
    form["schedule"] = '[{"days": [0], "from": "06:00", "until": "22:00"}]'
    assert admin_client.post(page, form).status_code == 302
    assert StateSource.objects.get().asset == asset

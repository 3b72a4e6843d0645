"""Sensors that fall silent together have one cause, which is told of once."""

from __future__ import annotations

import pytest

from anomalies.models import Anomaly
from tests.anomalies.silence.speaking import keep_watch, look, past, place, score, silences, speak
from tests.factories import make_asset, make_sensor, make_site

pytestmark = pytest.mark.django_db


def test_an_outage_of_a_site_is_one_review() -> None:
    site, sensors = place(6, name="North plant")
    for i, sensor in enumerate(sensors):
        speak(sensor, [m + i / 10 for m in past()])
    keep_watch(30)
    rows = Anomaly.objects.silences().filter(sensor__site=site).order_by("pk")
    assert rows.count() == 6
    (leader,) = rows.awaiting_review()
    assert set(rows.exclude(pk=leader.pk).values_list("follows", flat=True)) == {leader.pk}
    assert leader.severity > max(row.severity for row in rows if row.pk != leader.pk)
    assert {row.explanation["common"]["silent"] for row in rows} == {6}
    assert "6 of 6 sensors of North plant fell silent" in leader.explanation["sentence"]


def test_a_slow_sensor_that_stopped_with_the_site_joins_its_outage_later() -> None:
    site, sensors = place(4)
    for sensor in sensors:
        speak(sensor, past())
    slow = make_sensor(site=site)
    speak(slow, [m - 3 for m in past(every=10)])
    keep_watch(70)
    leader = Anomaly.objects.silences().awaiting_review().get()
    (found,) = silences(slow)
    assert found.follows_id == leader.pk


def test_a_machine_that_is_switched_off_is_one_review_and_the_others_are_heard() -> None:
    site = make_site()
    off = make_asset(site=site, name="pump 7")
    silent = [make_sensor(site=site, asset=off) for _ in range(3)]
    talking = [make_sensor(site=site) for _ in range(7)]
    for sensor in (*silent, *talking):
        speak(sensor, past())
    for minute in (4.0, 8.0, 12.0, 16.0):
        for sensor in talking:
            speak(sensor, [minute - 3, minute - 2, minute - 1, minute])
        look(minute)
    (leader,) = Anomaly.objects.silences().awaiting_review()
    assert leader.explanation["common"] == {
        "scope": "asset",
        "name": "pump 7",
        "silent": 3,
        "of": 3,
    }
    assert Anomaly.objects.silences().count() == 3


def test_sensors_that_stop_at_different_times_are_reviewed_apart() -> None:
    _, sensors = place(4)
    for i, sensor in enumerate(sensors):
        speak(sensor, [m - 20 * i for m in past()], at=-20 * i)
    keep_watch(30, since=-60)
    assert Anomaly.objects.silences().awaiting_review().count() == 4


def test_when_the_leader_is_withdrawn_the_first_that_follows_leads() -> None:
    _, sensors = place(4)
    for sensor in sensors:
        speak(sensor, past())
    keep_watch(20)
    leader = Anomaly.objects.silences().awaiting_review().get()
    speak(leader.sensor, [float(m) for m in range(1, 21)], at=20.5)
    score(20.5)
    heir = Anomaly.objects.silences().awaiting_review().get()
    assert heir.pk != leader.pk
    assert heir.followers.count() == 2

"""A message without a time of its own is one reading, however often it is delivered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from sensors.models import MqttArrival, Reading, Site
from sensors.mqtt import arrivals
from sensors.mqtt.arrivals import Arrivals, Parcel
from sensors.mqtt.content import Content
from sensors.mqtt.delivery import Delivery
from sensors.mqtt.messages import Message
from tests.factories import make_site

pytestmark = pytest.mark.django_db

FIRST = Message(
    serial=1, number=1, qos=1, is_dup=False, is_retained=False, topic="t/a", payload=b"5",
    arrived="2026-03-01T12:00:00+00:00", connection=1,
)  # fmt: skip
AGAIN = replace(FIRST, serial=9, is_dup=True, arrived="2026-03-01T12:00:30+00:00", connection=2)
NEXT = replace(FIRST, serial=10, arrived="2026-03-01T12:00:40+00:00")


def parcel(message: Message) -> Parcel:
    return message, Content(
        rows=[{"sensor": "a", "value": 5.0, "time": message.arrived}], timeless=[0]
    )


def deliver(site: Site, *messages: Message, window: int = 10) -> tuple[int, int]:
    """By a bridge that has just started. Returns how many are accepted, and duplicates."""
    delivery = Delivery(site, Arrivals("broker/bridge", window=window))
    receipt = delivery.store([parcel(message) for message in messages])
    return receipt.accepted, receipt.duplicates


def test_delivered_again_it_is_a_duplicate() -> None:
    site = make_site()
    assert deliver(site, FIRST) == (1, 0)
    assert deliver(site, AGAIN) == (0, 1)
    assert deliver(site, AGAIN) == (0, 1)


def test_delivered_twice_within_a_batch_it_is_a_duplicate() -> None:
    assert deliver(make_site(), FIRST, AGAIN) == (1, 1)


def test_an_equal_message_that_is_new_is_another_reading() -> None:
    site = make_site()
    deliver(site, FIRST)
    assert deliver(site, NEXT) == (1, 0)


def test_the_number_alone_makes_no_message_the_same() -> None:
    site = make_site()
    deliver(site, FIRST)
    assert deliver(site, replace(AGAIN, payload=b"6")) == (1, 0)


def test_what_never_was_committed_gets_the_time_of_its_delivery() -> None:
    deliver(make_site(), AGAIN)
    assert Reading.objects.get().time.isoformat() == AGAIN.arrived


def test_another_session_has_numbers_of_its_own() -> None:
    site = make_site()
    deliver(site, FIRST)
    other = Delivery(site, Arrivals("broker/other", window=10))
    assert other.store([parcel(AGAIN)]).accepted == 1


def test_no_more_is_remembered_than_may_come_again() -> None:
    site = make_site()
    start = timezone.now() - timedelta(hours=1)
    delivery = Delivery(site, Arrivals("broker/bridge", window=3))
    for n in range(40):
        arrived = (start + timedelta(seconds=n)).isoformat()
        delivery.store([parcel(replace(FIRST, serial=n, number=n + 1, arrived=arrived))])
    assert Reading.objects.count() == 40
    assert sorted(MqttArrival.objects.values_list("number", flat=True)) == list(range(29, 41))


def test_sessions_that_nobody_takes_up_are_forgotten() -> None:
    deliver(make_site(), FIRST)
    now = MqttArrival.objects.get().seen_at + arrivals.KEEP
    assert arrivals.prune(now=now) == 0
    assert arrivals.prune(now=now + timedelta(seconds=1)) == 1

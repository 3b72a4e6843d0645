"""Sparkplug on a real broker: aliases, gaps, restarts."""

from __future__ import annotations

from typing import Any

import pytest

from sensors.models import QuarantinedReading, Reading, Sensor, Site
from sensors.mqtt.sparkplug import REBIRTH, Datatype, decode
from tests.sensors.mqtt import edge
from tests.sensors.mqtt.broker import Device, Mosquitto, running, until

pytestmark = pytest.mark.django_db(transaction=True)

HOW: dict[str, Any] = {"groups": ["line-1"]}


class Node:
    """An edge node `plc` with a device `pump`, as gateways behave."""

    def __init__(self, broker: Mosquitto) -> None:
        self.device = Device(broker, listens_to=["spBv1.0/line-1/NCMD/plc"])
        self.seq = 0
        self.ms = edge.MS

    def send(self, verb: str, *metrics: dict[str, Any], birth: bool = False, qos: int = 1) -> None:
        self.ms += 1000
        if birth and verb == "NBIRTH":
            self.seq = 0
            data = edge.birth(*metrics, seq=0)
        else:
            data = edge.payload(*metrics, seq=self.seq % 256, ms=self.ms)
        self.seq += 1
        below = "/pump" if verb.startswith("D") else ""
        self.device.send(f"spBv1.0/line-1/{verb}/plc{below}", data, qos=qos)

    def bear(self) -> None:
        self.send("NBIRTH", birth=True)
        self.send("DBIRTH", edge.metric(Datatype.DOUBLE, 20.0, name="Temp", alias=1, unit="°C"))

    def measure(self, value: float) -> None:
        self.send("DDATA", edge.double(1, value))

    def rebirths(self) -> int:
        return len(self.device.heard)


@pytest.fixture
def node(broker: Mosquitto) -> Any:
    one = Node(broker)
    yield one
    one.device.close()


def stored() -> list[float]:
    return list(Reading.objects.order_by("time").values_list("value", flat=True))


def test_births_and_data_become_readings(broker: Mosquitto, node: Node, site: Site) -> None:
    with running(broker, site=site, **HOW):
        node.bear()
        for value in (21.0, 22.0):
            node.measure(value)
        until(lambda: Reading.objects.count() == 3, what="the readings")
    sensor = Sensor.objects.get()
    assert (sensor.external_id, sensor.unit) == ("line-1/plc/pump/Temp", "°C")
    assert stored() == [20.0, 21.0, 22.0]
    assert node.rebirths() == 0


def test_a_gap_asks_for_exactly_one_rebirth(broker: Mosquitto, node: Node, site: Site) -> None:
    with running(broker, site=site, **HOW):
        node.bear()
        node.seq += 1
        for n in range(30):
            node.measure(float(n))
        until(node.rebirths, what="the request for a rebirth")
        node.bear()
        node.measure(99.0)
        until(lambda: Reading.objects.count() == 33, what="the readings")
    assert node.rebirths() == 1
    topic, command = node.device.heard[0]
    assert topic == "spBv1.0/line-1/NCMD/plc"
    assert decode(command).metrics[0].name == REBIRTH


def test_after_a_restart_data_waits_for_the_rebirth_that_is_asked_for(
    broker: Mosquitto, node: Node, site: Site
) -> None:
    with running(broker, site=site, **HOW):
        node.bear()
        until(lambda: Reading.objects.count() == 1, what="the birth's reading")
    for n in range(10):
        node.measure(float(n))
    with running(broker, site=site, **HOW) as one:
        until(node.rebirths, what="the request for a rebirth")
        assert Reading.objects.count() == 1
        assert one.bridge._tally._numbers["acknowledged"] == 0
        node.bear()
        until(lambda: Reading.objects.count() == 12, what="the readings")
        until(lambda: one.bridge._tally._numbers["acknowledged"] == 12, what="the acks")
    assert node.rebirths() == 1
    assert not QuarantinedReading.objects.exists()


def test_a_bridge_that_stops_while_data_waits_leaves_it_with_the_broker(
    broker: Mosquitto, node: Node, site: Site
) -> None:
    with running(broker, site=site, **HOW):
        node.measure(5.0)
        until(node.rebirths, what="the request for a rebirth")
    assert not Reading.objects.exists()
    with running(broker, site=site, **HOW):
        until(lambda: node.rebirths() == 2, what="the second request")
        node.bear()
        until(lambda: Reading.objects.count() == 2, what="the readings")
    assert 5.0 in stored()


def test_what_no_birth_explains_is_kept_with_its_reason(
    broker: Mosquitto, node: Node, site: Site, settings: Any
) -> None:
    settings.MQTT_BIRTH_TIMEOUT_SECONDS = 0.5
    with running(broker, site=site, **HOW) as one:
        node.measure(5.0)
        node.measure(6.0)
        until(lambda: QuarantinedReading.objects.count() == 2, what="the quarantine")
        until(lambda: one.bridge._tally._numbers["acknowledged"] == 2, what="the acks")
    assert {held.code for held in QuarantinedReading.objects.all()} == {"birth_unknown"}


def test_garbage_is_kept_and_the_rest_goes_on(broker: Mosquitto, node: Node, site: Site) -> None:
    with running(broker, site=site, **HOW):
        node.bear()
        node.device.send("spBv1.0/line-1/DDATA/plc/pump", b"\xff\x01garbage")
        node.measure(21.0)
        until(lambda: Reading.objects.count() == 2, what="the readings")
        until(QuarantinedReading.objects.exists, what="the garbage")
    held = QuarantinedReading.objects.get()
    assert (held.category, held.code) == ("validation", "sparkplug_invalid")
    assert "payload_base64" in held.payload


def test_data_of_quality_of_service_0_is_stored_too(
    broker: Mosquitto, node: Node, site: Site
) -> None:
    with running(broker, site=site, **HOW):
        node.send("NBIRTH", birth=True, qos=0)
        node.send("NDATA", edge.metric(Datatype.INT16, -7, name="Level"), qos=0)
        until(Reading.objects.exists, what="the reading")
    assert stored() == [-7.0]


def test_data_that_waits_holds_up_others_no_longer_than_its_birth_may_take(
    broker: Mosquitto, node: Node, site: Site, settings: Any
) -> None:
    settings.MQTT_RECEIVE_MAXIMUM, settings.MQTT_BIRTH_TIMEOUT_SECONDS = 4, 0.5
    with running(broker, site=site, topics=["t/{sensor}"], **HOW) as one:
        node.measure(5.0)
        times = [f"2026-03-01T12:00:{n:02}Z" for n in range(40)]
        node.device.send_all([("t/a", f'{{"value": 1, "time": "{time}"}}') for time in times])
        until(lambda: Reading.objects.count() == 40, what="the readings")
        until(lambda: one.bridge._tally._numbers["acknowledged"] == 41, what="the acks")
        assert one.bridge._inbox.most <= 4
    assert QuarantinedReading.objects.get().code == "birth_unknown"

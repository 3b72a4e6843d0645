"""What the tests of MQTT share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sensors.models import Site
from tests.factories import make_site
from tests.sensors.mqtt import broker as mqtt
from tests.sensors.mqtt.broker import Device, Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    if mqtt.PROGRAM is None:
        pytest.skip("no Mosquitto here: apt-get install mosquitto")
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    yield mosquitto
    mosquitto.kill()


@pytest.fixture
def device(broker: Mosquitto) -> Iterator[Device]:
    one = Device(broker)
    yield one
    one.close()


@pytest.fixture
def site() -> Site:
    return make_site(slug="north")

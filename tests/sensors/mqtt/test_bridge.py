"""The bridge on a real broker: what was acknowledged is committed, and once."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.db import connection
from django.utils import timezone
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from pytest_django import Settings

from sensors import keys
from sensors.models import QuarantinedReading, Reading, Sensor, Site
from sensors.mqtt import delivery
from sensors.mqtt.connection import Refused
from tests.factories import make_key
from tests.sensors.mqtt.broker import Device, Mosquitto, running, until

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 3, 1, tzinfo=UTC)
TOPICS = ["plant/{site}/{asset}/{sensor}"]
HOW: dict[str, Any] = {"topics": TOPICS, "sensor_id": "{asset}/{sensor}"}


def reading(n: int) -> str:
    return json.dumps({"value": float(n), "time": (START + timedelta(seconds=n)).isoformat()})


def stored() -> list[float]:
    return list(Reading.objects.order_by("time").values_list("value", flat=True))


def test_each_form_of_json_becomes_readings(broker: Mosquitto, device: Device, site: Site) -> None:
    before = datetime.now(UTC)
    with running(broker, site=site, **HOW):
        device.send("plant/north/press-9/temp", "81.5")
        device.send("plant/north/press-9/flow", reading(3))
        device.send(
            "plant/north/press-9/ignored",
            json.dumps(
                {
                    "readings": [
                        {
                            "sensor": "press-9/level",
                            "time": START.isoformat(),
                            "value": 40,
                            "unit": "%",
                        },
                        {"time": START.isoformat(), "value": 41},
                    ]
                }
            ),
        )
        until(lambda: Reading.objects.count() == 4, what="four readings")
    assert set(Sensor.objects.values_list("external_id", flat=True)) == {
        "press-9/temp", "press-9/flow", "press-9/level", "press-9/ignored",
    }  # fmt: skip
    bare = Reading.objects.get(sensor__external_id="press-9/temp")
    assert bare.value == 81.5
    assert before <= bare.time <= datetime.now(UTC)


def test_another_sites_topics_are_not_read(broker: Mosquitto, device: Device, site: Site) -> None:
    with running(broker, site=site, **HOW):
        device.send("plant/south/press-9/temp", reading(1))
        device.send("plant/north/press-9/temp", reading(2))
        until(Reading.objects.exists, what="a reading")
    assert stored() == [2.0]


def test_a_key_acts_for_its_site_and_is_named(broker: Mosquitto, device: Device) -> None:
    key, _ = make_key()
    with running(broker, site=key.site, key=key, topics=["t/{sensor}"]):
        device.send("t/a", reading(1))
        device.send("t/a", "no number")
        until(QuarantinedReading.objects.exists, what="the quarantined message")
        until(Reading.objects.exists, what="the reading")
    assert Sensor.objects.get().discovered_by == key
    assert QuarantinedReading.objects.get().key == key


def test_garbage_goes_to_quarantine_and_the_rest_goes_on(
    broker: Mosquitto, device: Device, site: Site
) -> None:
    with running(broker, site=site, **HOW):
        for n in range(5):
            device.send("plant/north/p/t", reading(n))
            device.send("plant/north/p/t", f"\x00 no JSON {n}")
            device.send("plant/north/p/t", b"\xff\xfe%d" % n)
            device.send("plant/north/p/t", json.dumps({"value": "high", "time": f"{n}"}))
        until(lambda: QuarantinedReading.objects.count() == 15, what="the garbage")
        until(lambda: Reading.objects.count() == 5, what="the readings")
    assert stored() == [0.0, 1.0, 2.0, 3.0, 4.0]
    held = QuarantinedReading.objects.all()
    assert {one.source for one in held} == {"mqtt"}
    assert {(one.category, one.code) for one in held} == {
        ("validation", "json_invalid"), ("validation", "not_utf8"), ("validation", "time_invalid"),
    }  # fmt: skip
    binary = next(one for one in held if one.code == "not_utf8")
    assert json.loads(binary.payload)["payload_base64"].startswith("//4")


def test_what_was_acknowledged_does_not_come_again(
    broker: Mosquitto, device: Device, site: Site
) -> None:
    with running(broker, site=site, **HOW) as first:
        device.send_all([("plant/north/p/t", reading(n)) for n in range(50)])
        until(lambda: Reading.objects.count() == 50, what="the readings")
    assert first.bridge._tally._numbers["acknowledged"] == 50
    with running(broker, site=site, **HOW) as second:
        device.send("plant/north/p/t", reading(99))
        until(lambda: Reading.objects.count() == 51, what="the last reading")
    assert second.bridge._tally._numbers["received"] == 1


def test_what_comes_while_the_bridge_is_down_waits_at_the_broker(
    broker: Mosquitto, device: Device, site: Site
) -> None:
    with running(broker, site=site, **HOW):
        pass
    device.send_all([("plant/north/p/t", reading(n)) for n in range(300)])
    with running(broker, site=site, **HOW):
        until(lambda: Reading.objects.count() == 300, what="the readings")
    assert stored() == [float(n) for n in range(300)]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_restarts_costs_and_doubles_nothing(
    broker: Mosquitto, device: Device, site: Site, protocol: str
) -> None:
    device.close()
    with running(broker, site=site, protocol=protocol, **HOW) as one:
        first = Device(broker)
        first.send_all([("plant/north/p/t", reading(n)) for n in range(200)])
        first.close()
        broker.stop()
        broker.start()
        second = Device(broker)
        second.send_all([("plant/north/p/t", reading(n)) for n in range(200, 400)])
        second.close()
        until(lambda: Reading.objects.count() == 400, what="the readings")
    assert stored() == [float(n) for n in range(400)]
    assert one.bridge._connection.connections == 2


def test_a_broker_that_refuses_the_user_is_said_in_a_sentence(
    broker: Mosquitto, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    strict = Mosquitto(
        tmp_path_factory.mktemp("strict"), "allow_anonymous false", "password_file /dev/null"
    )
    strict.start()
    try:
        with pytest.raises(Refused, match="Not authorized"), running(strict, site=site, **HOW):
            pass
    finally:
        strict.stop()


def test_two_bridges_with_one_session_are_told_so(
    broker: Mosquitto, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with running(broker, site=site, **HOW), running(broker, site=site, **HOW):
        until(lambda: "another client use the MQTT_CLIENT_ID" in caplog.text, what="the hint")


def test_a_session_that_was_taken_over_ends_the_bridge(broker: Mosquitto, site: Site) -> None:
    with running(broker, site=site, **HOW) as one:
        taken_over = ReasonCode(PacketTypes.DISCONNECT, "Session taken over")
        one.bridge._connection._on_disconnect(None, None, None, taken_over, None)  # type: ignore[arg-type]
        until(lambda: one.error, what="the bridge to yield")
        assert isinstance(one.error, Refused)
        assert "MQTT_CLIENT_ID" in str(one.error)
        one.error = None


def test_bridges_share_a_subscription(broker: Mosquitto, device: Device, site: Site) -> None:
    how: dict[str, Any] = {
        "topics": ["$share/bridges/plant/{site}/{asset}/{sensor}"],
        "sensor_id": "{sensor}",
    }
    with (
        running(broker, site=site, client_id="a", **how) as one,
        running(broker, site=site, client_id="b", **how) as other,
    ):
        device.send_all([("plant/north/p/t", reading(n)) for n in range(100)])
        until(lambda: Reading.objects.count() == 100, what="the readings")
    received = [bridge.bridge._tally._numbers["received"] for bridge in (one, other)]
    assert sum(received) == 100
    assert min(received) > 0


def test_a_revoked_key_ends_the_bridge_and_its_messages_stay_with_the_broker(
    broker: Mosquitto, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_KEY_CHECKED_EVERY", timedelta(0))
    key, _ = make_key()
    other, _ = make_key(site=key.site)
    with running(broker, site=key.site, key=key, topics=["t/{sensor}"]) as one:
        device.send("t/a", reading(1))
        until(Reading.objects.exists, what="the first reading")
        keys.revoke(key, now=timezone.now())
        device.send("t/a", reading(2))
        until(lambda: one.error, what="the bridge to end")
        assert isinstance(one.error, delivery.KeyGone)
        one.error = None
    assert stored() == [1.0]
    with running(broker, site=key.site, key=other, topics=["t/{sensor}"]):
        until(lambda: stored() == [1.0, 2.0], what="the second reading")


def test_a_message_that_the_database_will_not_take_is_kept_and_the_rest_goes_on(
    broker: Mosquitto, device: Device, site: Site
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION no_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'poison'; END $$;"
            "CREATE TRIGGER no_poison BEFORE INSERT ON sensors_sensor FOR EACH ROW "
            "WHEN (NEW.external_id = 'p/poison') EXECUTE FUNCTION no_poison()"
        )
    try:
        with running(broker, site=site, **HOW):
            names = ["a", "b", "poison", "c", "d"]
            device.send_all([(f"plant/north/p/{name}", reading(n)) for n, name in enumerate(names)])
            until(QuarantinedReading.objects.exists, what="the quarantined message")
            until(lambda: Reading.objects.count() == 4, what="the readings")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION no_poison CASCADE")
    held = QuarantinedReading.objects.get()
    assert held.category == "unexpected"
    assert "poison" in held.detail
    assert json.loads(held.payload)["topic"] == "plant/north/p/poison"


def test_tls_with_user_and_password(
    broker: Mosquitto, site: Site, tmp_path: Path, settings: Settings
) -> None:
    certificate, key = self_signed(tmp_path)
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "bridge", "secret"], check=True)
    passwords.chmod(0o644)
    secure = Mosquitto(
        tmp_path, "allow_anonymous false", f"password_file {passwords}",
        f"certfile {certificate}", f"keyfile {key}",
    )  # fmt: skip
    secure.start()
    url = f"mqtts://127.0.0.1:{secure.port}"
    settings.MQTT_USERNAME, settings.MQTT_PASSWORD = "bridge", "secret"
    settings.MQTT_CA_FILE = str(certificate)
    try:
        with running(secure, site=site, **{**HOW, "url": url}):
            device = Device(secure, ca_file=certificate, password="secret")
            device.send("plant/north/p/t", reading(1))
            until(Reading.objects.exists, what="the reading")
            device.close()
        settings.MQTT_PASSWORD = "wrong"
        with (
            pytest.raises(Refused, match="Not authorized"),
            running(secure, site=site, **{**HOW, "url": url}),
        ):
            pass
    finally:
        secure.stop()


def self_signed(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    certificate, key = directory / "broker.pem", directory / "broker.key"
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, key

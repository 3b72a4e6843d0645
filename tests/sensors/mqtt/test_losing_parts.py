"""The bridge is killed, the store goes away, acknowledgements are lost: every reading once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import requests
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from sensors import store
from sensors.models import Reading, Site
from sensors.mqtt.bridge import LeftBehind
from sensors.mqtt.connection import Connection
from sensors.mqtt.messages import Claim
from smartmaint.lib.breaker import Breaker
from smartmaint.services import network
from tests.sensors.mqtt.broker import Device, Mosquitto, running, until

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 3, 1, tzinfo=UTC)
TOPIC = "plant/north/p"
TEMPLATES = ["plant/{site}/p/{sensor}"]
HOW = ("--topic", "plant/{site}/p/{sensor}", "--site", "north")


def timed(n: int) -> tuple[str, str]:
    time = (START + timedelta(seconds=n)).isoformat()
    return f"{TOPIC}/timed", json.dumps({"value": float(n), "time": time})


def bare(n: int) -> tuple[str, str]:
    return f"{TOPIC}/bare", f"{n}"


def both(n: int) -> list[tuple[str, str]]:
    return [message for i in range(n) for message in (timed(i), bare(i))]


def stored(sensor: str) -> list[float]:
    found = Reading.objects.filter(sensor__external_id=sensor).order_by("time")
    return list(found.values_list("value", flat=True))


def numbers(n: int) -> list[float]:
    return [float(i) for i in range(n)]


class Process:
    """`manage.py mqtt_bridge` on the test's database."""

    def __init__(self, broker: Mosquitto, log: Path, *arguments: str) -> None:
        self._log = log
        head, _, query = os.environ["DATABASE_URL"].partition("?")
        name = connection.settings_dict["NAME"]
        url = f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "mqtt_bridge", "--url", broker.url, *arguments],
                env={**os.environ, "DATABASE_URL": url, "MQTT_BATCH_TIMEOUT_SECONDS": "0.2"},
                stdout=out,
                stderr=out,
            )

    def is_reading(self) -> bool:
        return f"reading {TOPIC}" in self.said() or self._process.poll() is not None

    def said(self) -> str:
        return self._log.read_text()

    def end(self, number: signal.Signals) -> int:
        self._process.send_signal(number)
        return self._process.wait(20)

    def wait(self) -> int:
        return self._process.wait(20)


@contextmanager
def process(
    broker: Mosquitto, tmp_path: Path, name: str, arguments: Sequence[str] = HOW
) -> Iterator[Process]:
    one = Process(broker, tmp_path / f"{name}.log", *arguments)
    try:
        yield one
    finally:
        one._process.kill()
        one._process.wait()


def someone_waits_for_the_table() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
            "WHERE d.datname = current_database() AND NOT l.granted)"
        )
        return bool(cursor.fetchone()[0])


def test_a_bridge_killed_between_receipt_and_commit_loses_and_doubles_nothing(
    broker: Mosquitto, device: Device, site: Site, tmp_path: Path
) -> None:
    with process(broker, tmp_path, "killed") as killed:
        until(killed.is_reading, what="the bridge to subscribe")
        device.send_all(both(20))
        until(lambda: len(stored("bare")) == 20, what="the first readings")
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE sensors_reading IN ACCESS EXCLUSIVE MODE")
            device.send_all(both(150)[40:])
            until(someone_waits_for_the_table, what="the bridge to be in its transaction")
            assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    assert len(stored("bare")) == len(stored("timed")) == 20
    with process(broker, tmp_path, "next") as following:
        until(lambda: Reading.objects.count() >= 300, what="the readings")
        device.send(*timed(150))
        until(lambda: len(stored("timed")) == 151, what="the last reading")
        assert following.end(signal.SIGTERM) == 0
    assert stored("timed") == numbers(151)
    assert stored("bare") == numbers(150)


def test_sigterm_commits_what_has_come_and_acknowledges_it(
    broker: Mosquitto, device: Device, site: Site, tmp_path: Path
) -> None:
    port = network.free_port()
    slow = (*HOW, "--batch-timeout-seconds", "60", "--metrics-port", str(port))
    with process(broker, tmp_path, "slow", slow) as one:
        until(one.is_reading, what="the bridge to subscribe")
        device.send_all([timed(n) for n in range(10)])
        ten = 'smartmaint_mqtt_messages_total{state="received"} 10.0'
        until(lambda: ten in metrics(port), what="the bridge to have ten messages")
        assert stored("timed") == []
        assert one.end(signal.SIGTERM) == 0
        assert "10 received, 10 acknowledged, 10 accepted" in one.said()
    assert stored("timed") == numbers(10)


def metrics(port: int) -> str:
    return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text


def test_acknowledgements_that_are_lost_double_nothing(
    broker: Mosquitto, device: Device, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, running(broker, site=site, topics=TEMPLATES):
        patch.setattr(Connection, "acknowledge", _loses)
        device.send_all(both(30))
        until(lambda: Reading.objects.count() == 60, what="the readings")
    with running(broker, site=site, topics=TEMPLATES) as one:
        until(lambda: one.bridge._tally._numbers["acknowledged"] == 60, what="the repetitions")
    assert stored("timed") == stored("bare") == numbers(30)


def _loses(_connection: Connection, _claims: Sequence[Claim]) -> int:
    return 0


@contextmanager
def no_database() -> Iterator[None]:
    """Nobody else can use the test's database, and who does is thrown out."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        mine = cursor.fetchone()[0]
    parameters = {**connection.get_connection_params(), "dbname": "postgres"}
    for ours in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(ours, None)
    with psycopg.connect(**parameters, autocommit=True) as other:
        other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND pid <> %s",
            [name, mine],
        )
        try:
            yield
        finally:
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_while_the_store_is_away_little_is_taken_and_nothing_is_lost(
    broker: Mosquitto, device: Device, site: Site, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    monkeypatch.setattr(store, "breaker", Breaker("store", failures=2, cool_down_s=0.5))
    settings.MQTT_RECEIVE_MAXIMUM = window = 50
    with running(broker, site=site, topics=TEMPLATES, batch_size=20) as one:
        device.send(*timed(0))
        until(Reading.objects.exists, what="the first reading")
        with no_database():
            device.send_all([timed(n) for n in range(1, 2000)])
            until(lambda: one.tries_again() > 1, what="the bridge to find the store away")
            assert one.bridge._tally._numbers["received"] - 1 <= window
            assert one.bridge._tally._numbers["acknowledged"] == 1
        until(lambda: Reading.objects.count() == 2000, what="the readings")
        assert one.bridge._inbox.most <= window
    assert stored("timed") == numbers(2000)
    assert one.bridge._tally._numbers["duplicates"] == 0


def test_a_stop_while_the_store_is_away_leaves_the_messages_with_the_broker(
    broker: Mosquitto, device: Device, site: Site
) -> None:
    with running(broker, site=site, topics=TEMPLATES) as one, no_database():
        device.send_all([timed(n) for n in range(5)])
        until(lambda: one.tries_again() > 0, what="the bridge to find the store away")
        one.stop()
        assert isinstance(one.error, LeftBehind)
        one.error = None
    with running(broker, site=site, topics=TEMPLATES):
        until(lambda: Reading.objects.count() == 5, what="the readings")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--topic", "a/{sensor}"), "either MQTT_INGEST_KEY or --site"),
        (("--site", "south", "--topic", "a/{sensor}"), "no site 'south'"),
        (("--site", "north"), "say what to read"),
        (("--site", "north", "--topic", "a/{sensro}"), "no level {sensor}"),
        (("--site", "north", "--topic", "a/#", "--topic", "a/b"), "overlap"),
        (("--site", "north", "--sparkplug", "a/b"), "no group"),
        (("--site", "north", "--topic", "spBv1.0/+/{sensor}"), "--sparkplug GROUP"),
        (("--site", "north", "--sparkplug", "g", "--topic", "$share/g/{sensor}"), "shared"),
        (("--site", "north", "--topic", "a", "--url", "http://a"), "mqtt://HOST:PORT"),
        (("--site", "north", "--topic", "a", "--url", "mqtt://u:p@a"), "no credentials"),
        (("--site", "north", "--topic", "a", "--batch-size", "0"), "from 1 on"),
    ],
)
def test_what_cannot_be_meant_is_said(site: Site, arguments: Sequence[str], why: str) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("mqtt_bridge", "--url", "mqtt://127.0.0.1:9", *arguments)
    assert why in str(caught.value)

"""A real Mosquitto on a free port of the loopback address, and what talks to it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from sensors.models import IngestKey, Site
from sensors.mqtt import build
from sensors.mqtt.bridge import Bridge
from smartmaint.services import network

PROGRAM = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
DEADLINE_S = 30.0


class Mosquitto:
    """Started and stopped at will; what it must keep it keeps on disk."""

    def __init__(self, directory: Path, *more: str) -> None:
        self.port = network.free_port()
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._file = directory / "mosquitto.conf"
        lines = (
            f"listener {self.port} 127.0.0.1",
            *([] if "allow_anonymous false" in more else ["allow_anonymous true"]),
            "max_queued_messages 0",
            "persistence true",
            f"persistence_location {directory}/",
            # Otherwise root's becomes one that cannot write here.
            *(["user root"] if os.geteuid() == 0 else []),
            *more,
        )
        self._file.write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self._directory / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), "-c", str(self._file)], stdout=log, stderr=log
            )
        until(self._answers, what="Mosquitto to listen")

    def stop(self) -> None:
        """As an administrator does: it saves its sessions."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        """At the end, when nothing is to be kept."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


class Device:
    """A client that publishes, and sees what others publish."""

    def __init__(
        self,
        broker: Mosquitto,
        *,
        listens_to: Sequence[str] = (),
        ca_file: Path | None = None,
        password: str = "",
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        if ca_file is not None:
            self._client.tls_set(str(ca_file))
            self._client.username_pw_set("bridge", password)
        self._client.max_inflight_messages_set(1000)
        subscribed = threading.Event()
        self._client.on_message = lambda _c, _u, m: self.heard.append((m.topic, bytes(m.payload)))
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        if listens_to:
            self._client.subscribe([(one, 0) for one in listens_to])
            assert subscribed.wait(DEADLINE_S)

    def send(self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False) -> None:
        """Returns when the broker has it."""
        self._client.publish(topic, payload, qos, retain).wait_for_publish(DEADLINE_S)

    def send_all(self, messages: Sequence[tuple[str, bytes | str]], *, qos: int = 1) -> None:
        sent = [self._client.publish(topic, payload, qos) for topic, payload in messages]
        for one in sent:
            one.wait_for_publish(DEADLINE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def until(happened: Callable[[], object], *, what: str) -> None:
    """Wait for what another process or thread does."""
    give_up = time.monotonic() + DEADLINE_S
    while not happened():
        assert time.monotonic() < give_up, f"waited {DEADLINE_S:.0f} s for {what}"
        time.sleep(0.02)


class Running:
    """A bridge at work in a thread of its own."""

    def __init__(self, bridge: Bridge, stopping: threading.Event) -> None:
        self.bridge = bridge
        self._stopping = stopping
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        until(self._is_ready, what="the bridge to subscribe")

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def tries_again(self) -> int:
        """How often a batch found the store away."""
        return self.bridge._tally._numbers["store away"]

    def _is_ready(self) -> bool:
        return self.bridge._connection.is_subscribed or not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.bridge.run()
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.error = error
        finally:
            connection.close()


@contextmanager
def running(
    broker: Mosquitto, *, site: Site, key: IngestKey | None = None, **options: Any
) -> Iterator[Running]:
    """A bridge that reads until the block ends."""
    stopping = threading.Event()
    given = {"url": broker.url, "batch_timeout_seconds": 0.1, **options}
    plan = build.plan(settings, given, site.slug)
    one = Running(build.bridge(plan, site=site, key=key, stopping=stopping), stopping)
    try:
        yield one
        one.stop()
        if one.error is not None:
            raise one.error
    finally:
        stopping.set()

"""kill -9 while readings come in: what was acknowledged is stored, and nothing is there twice.

The web server and the PostgreSQL are this test's own, so that it may kill them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests

from smartmaint.services import databases, network, postgres
from smartmaint.services.home import Home, open_home

ROOT = Path(__file__).resolve().parents[2]
BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=12)
# Readings in a batch of each client; the last one's are on their way into the table while they are
# read.
SIZES = (40, 40, 2500)
EVERY = timedelta(milliseconds=50)
PATIENCE_S = 60
ISSUE = """
from sensors import keys
from sensors.models import Site
hall = Site.objects.create(slug="hall", name="Hall")
print(keys.issue(site=hall, name="all", rate_per_second=1e5, burst=100_000)[1])
"""
STORED = """
SELECT s.external_id, count(*), coalesce(max(p.count), 0)
FROM sensors_sensor s JOIN sensors_reading r ON r.sensor_id = s.id
LEFT JOIN sensors_sensorprofile p ON p.sensor_id = s.id GROUP BY 1
"""


@dataclass
class Client:
    """Sends batch after batch of one sensor, each until it is acknowledged."""

    url: str
    key: str
    name: str
    size: int
    acknowledged: int = 0
    unanswered: int = 0
    refusals: list[requests.Response] = field(default_factory=list)
    leave: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Api-Key {self.key}"
            number = 0
            while not self.leave.is_set():
                self._until_acknowledged(session, self._batch(number))
                number += 1

    def _until_acknowledged(self, session: requests.Session, batch: list[dict[str, Any]]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                answer = session.post(f"{self.url}/api/v1/readings", json=batch, timeout=30)
            except requests.RequestException:
                self.unanswered += 1
            else:
                if answer.ok:
                    receipt = answer.json()
                    assert receipt["accepted"] + receipt["duplicates"] == self.size, receipt
                    self.acknowledged += self.size
                    return
                self.refusals.append(answer)
            time.sleep(0.05)
        raise TimeoutError("a batch was never acknowledged")

    def _batch(self, number: int) -> list[dict[str, Any]]:
        times = (BEGIN + (number * self.size + i) * EVERY for i in range(self.size))
        return [
            {"sensor": self.name, "time": at.isoformat(), "value": 20 + at.second / 60}
            for at in times
        ]


@dataclass
class Place:
    """A gunicorn with one worker on a PostgreSQL, both to be killed."""

    home: Home
    environ: dict[str, str]
    log: Path
    port: int
    web: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *command: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT, env=self.environ, check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    def start_web(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "smartmaint.wsgi", "-c", "gunicorn.conf.py"]
        with self.log.open("a") as log:
            web = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=log, stderr=log)
        self.web = web
        network.wait_for(f"{self.url}/livez", seconds=60, alive=lambda: web.poll() is None)

    def kill_worker(self) -> None:
        assert self.web is not None
        for worker in psutil.Process(self.web.pid).children():
            worker.kill()

    def kill_web(self) -> None:
        assert self.web is not None
        kill_family(self.web.pid)
        self.web.wait(10)

    def kill_postgres(self) -> None:
        pid = postgres.running(self.home)
        assert pid is not None
        kill_family(pid)

    def stored(self) -> dict[str, tuple[int, int]]:
        """sensor → readings in the table, readings in its profile."""
        with psycopg.connect(self.environ["DATABASE_URL"]) as connection:
            return {name: (rows, known) for name, rows, known in connection.execute(STORED)}


def kill_family(pid: int) -> None:
    """SIGKILL to a process and its children, which get no time to tidy up."""
    parent = psutil.Process(pid)
    family = [parent, *parent.children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)


@pytest.fixture
def place(tmp_path: Path, redis_url: str) -> Iterator[Place]:
    (tmp_path / "checkout").mkdir()
    home = open_home(tmp_path / "checkout")
    port = network.free_port()
    url = postgres.url(home, "smartmaint")
    own = {"DATABASE_URL": url, "REDIS_URL": redis_url, "PORT": str(port), "WEB_CONCURRENCY": "1"}
    made = Place(home, {**os.environ, **own}, tmp_path / "web.log", port)
    with ExitStack() as held:
        held.callback(shutil.rmtree, home.sockets, ignore_errors=True)
        if home.account is not None:
            held.callback(shutil.rmtree, home.state)
        held.callback(postgres.stop, home)
        postgres.start(home)
        databases.ensure(url)
        made.manage("migrate", "--verbosity=0")
        made.start_web()
        held.callback(made.kill_web)
        yield made


@pytest.fixture
def key(place: Place) -> str:
    return place.manage("shell", "--verbosity=0", "--command", ISSUE)


@contextmanager
def sending(place: Place, key: str) -> Iterator[list[Client]]:
    """Clients that send all the while; each ends with a batch that was acknowledged."""
    clients = [
        Client(place.url, key, f"pump-{i}.temperature", size) for i, size in enumerate(SIZES)
    ]
    with ThreadPoolExecutor(len(clients)) as threads:
        ends = [threads.submit(client.run) for client in clients]
        try:
            yield clients
        finally:
            for client in clients:
                client.leave.set()
    for end in ends:
        end.result()


def more_from(clients: list[Client], batches: int = 5) -> None:
    """Wait until each client had so many more batches acknowledged."""
    wanted = [client.acknowledged + batches * client.size for client in clients]
    wait(lambda: all(c.acknowledged >= n for c, n in zip(clients, wanted, strict=True)))


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def test_what_was_acknowledged_outlives_kills_of_all_servers(place: Place, key: str) -> None:
    with sending(place, key) as clients:
        more_from(clients)
        place.kill_worker()  # the master starts another
        more_from(clients)
        place.kill_web()
        place.start_web()
        more_from(clients)
        place.kill_postgres()
        wait(lambda: any(client.refusals for client in clients))
        postgres.start(place.home)
        more_from(clients)  # the breaker closes by itself

    refusals = [answer for client in clients for answer in client.refusals]
    assert {answer.status_code for answer in refusals} == {503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refusals)
    # Whatever was sent again is there once, in the table and in what is summed up beside it.
    assert place.stored() == {c.name: (c.acknowledged, c.acknowledged) for c in clients}
    assert sum(client.unanswered for client in clients) >= 1

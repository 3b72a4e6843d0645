"""What only the shipped web server can show: bodies whose length is not known when they begin."""

from __future__ import annotations

import gzip
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from django.db import connection

from sensors.models import Reading
from smartmaint.services import network
from tests.factories import make_key

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """The database that this test writes to, for another process."""
    parts = connection.settings_dict
    user, password, host = (quote(parts[name], safe="") for name in ("USER", "PASSWORD", "HOST"))
    port = f":{parts['PORT']}" if parts["PORT"] else ""
    return f"postgresql://{user}:{password}@{host}{port}/{parts['NAME']}"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """gunicorn with one worker, on the test's database."""
    port = network.free_port()
    environ = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
    }
    command = [sys.executable, "-m", "gunicorn", "smartmaint.wsgi", "-c", "gunicorn.conf.py"]
    with (tmp_path / "web.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        network.wait_for(f"{address}/livez", seconds=60, alive=lambda: process.poll() is None)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def in_pieces(body: bytes) -> Iterator[bytes]:
    """Sent with Transfer-Encoding: chunked, as Telegraf sends all it has."""
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


def test_bodies_in_chunks_are_read_within_the_same_limits(url: str) -> None:
    key, secret = make_key(rate_per_second=1000.0, burst=1000)
    headers = {"Authorization": f"Token {secret}"}

    def post(path: str, body: bytes, **more: str) -> requests.Response:
        return requests.post(
            f"{url}{path}", data=in_pieces(body), headers={**headers, **more}, timeout=30
        )

    lines = "\n".join(f"m,t={i % 3} f={i} {i * 1000}" for i in range(2000)).encode()
    assert post("/api/v2/write", lines).status_code == 204
    assert Reading.objects.filter(sensor__site=key.site).count() == 2000
    zipped = {"Content-Encoding": "gzip"}
    assert post("/write", gzip.compress(lines), **zipped).status_code == 204
    assert Reading.objects.count() == 2000
    assert post("/api/v2/write", b"#" * (6 * 2**20)).status_code == 413
    assert post("/write", gzip.compress(b"#" * (65 * 2**20)), **zipped).status_code == 413
    assert post("/write", b"").status_code == 204


def test_a_client_that_is_refused_keeps_its_connection(url: str) -> None:
    _, secret = make_key(rate_per_second=0.001, burst=1)
    headers = {"Authorization": f"Api-Key {secret}", "Content-Type": "text/csv"}
    kept = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    statuses = []
    for turn in range(5):
        kept.request("POST", "/api/v1/readings", b"sensor,time,value\n" * 20_000, headers)
        answer = kept.getresponse()
        answer.read()
        statuses.append(answer.status)
        assert turn == 0 or answer.headers["Retry-After"]
        kept.auto_open = 0  # from here on: no second connection
    kept.close()
    assert statuses[1:] == [429] * 4

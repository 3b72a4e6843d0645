"""The shipped web server with one worker, on the bench's database, and what it weighs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.readings import site
from sensors import keys
from smartmaint.services import network

ROOT = Path(__file__).resolve().parent.parent
# Nobody scores here, and one client sends all there is: neither is to be held back for it.
UNHINDERED = {"INGEST_MAX_BACKLOG": "1000000000", "INGEST_GLOBAL_RATE_PER_SECOND": "0"}


@dataclass(frozen=True, slots=True)
class Web:
    """A running gunicorn with one worker."""

    port: int
    process: subprocess.Popen[bytes]

    def worker(self) -> psutil.Process:
        (worker,) = psutil.Process(self.process.pid).children()
        return worker

    def resident_mib(self) -> float:
        """Memory of the worker, in MiB."""
        return float(self.worker().memory_info().rss) / 2**20


@contextmanager
def serving(**variables: str) -> Iterator[Web]:
    """gunicorn as the Procfile starts it, with WEB_CONCURRENCY=1; its log is in .data/bench."""
    port = network.free_port()
    environ = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "bench.web_settings", "WEB_CONCURRENCY": "1",
        "PORT": str(port), "PYTHONPATH": str(ROOT), **UNHINDERED, **variables,
    }  # fmt: skip
    command = [sys.executable, "-m", "gunicorn", "smartmaint.wsgi", "-c", "gunicorn.conf.py"]
    with (place() / "web.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        network.wait_for(
            f"http://127.0.0.1:{port}/livez", seconds=60, alive=lambda: process.poll() is None
        )
        yield Web(port, process)
    finally:
        process.terminate()
        process.wait(30)


def place() -> Path:
    """Where the bench leaves its plots and logs."""
    made = ROOT / ".data" / "bench"
    made.mkdir(parents=True, exist_ok=True)
    return made


def key() -> str:
    """The text of a device's key that no rate holds back."""
    return keys.issue(
        site=site(),
        name="bench",
        rate_per_second=1e6,
        burst=1_000_000,
        # The sensors that the other formats name.
        line_template="{tag:sensor}",
    )[1]


def headers(key: str, media_type: str) -> dict[str, str]:
    return {"Authorization": f"Api-Key {key}", "Content_Type": media_type}

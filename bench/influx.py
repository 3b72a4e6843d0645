"""InfluxDB 1.x as Debian packages it, started for the bench on a directory of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.wire import Wire, request
from smartmaint.services import network

# Its defaults, on loopback and in a directory that goes when the bench ends. Every write is
# fsynced before it is answered, as ours is.
_CONFIG = """
reporting-enabled = false
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{dir}/meta"
[data]
  dir = "{dir}/data"
  wal-dir = "{dir}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"""
WRITE = "/write?db=bench&precision=ms"


def is_installed() -> bool:
    return shutil.which("influxd") is not None


@contextmanager
def serving() -> Iterator[int]:
    """The port of an empty InfluxDB with a database `bench`."""
    with tempfile.TemporaryDirectory(prefix="smartmaint-influx-") as made:
        port = network.free_port()
        file = Path(made) / "influxdb.conf"
        file.write_text(_CONFIG.format(dir=made, port=port, rpc=network.free_port()))
        process = subprocess.Popen(
            ["influxd", "-config", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait(port, process)
            with Wire(port) as wire:
                made_database = wire.send(request("/query?q=CREATE+DATABASE+bench"))
            assert made_database.status == 200, made_database
            yield port
        finally:
            process.terminate()
            process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    network.wait_for(
        f"http://127.0.0.1:{port}/query?q=SHOW+DATABASES",
        seconds=60,
        alive=lambda: process.poll() is None,
    )

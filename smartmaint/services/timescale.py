"""TimescaleDB on PostgreSQL 17 without Docker: Debian's packages in a directory of their own.

The packages are shared by all checkouts of the machine; each checkout has a cluster and a port of
its own. Needs root and apt; elsewhere compose.yaml has the same database as a container.
"""

import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from smartmaint.services import daemon, databases, lease, network
from smartmaint.services.account import (
    SERVICE_ACCOUNT,
    SYSTEM_STATE,
    Account,
    private_directory,
)
from smartmaint.services.errors import ServiceError, tail
from smartmaint.services.home import Home
from smartmaint.services.say import say

RELEASE = "trixie"
PACKAGE = "postgresql-17-timescaledb"
BINARIES = "/usr/lib/postgresql/17/bin"
SYSTEM = SYSTEM_STATE / "timescale"
USER = "smartmaint"
FIRST_PORT = 5433
START_SECONDS = 60
SETTINGS = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # The directory has no /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "max_connections": "100",
    # A query over many chunks locks each of them.
    "max_locks_per_transaction": "256",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def running_url(home: Home) -> str | None:
    """DATABASE_URL of this checkout's cluster, None when it does not run."""
    if home.account is None or running(home) is None or not _url_file(home).exists():
        return None
    return _url_file(home).read_text().strip().removeprefix("DATABASE_URL=")


def start(home: Home) -> str:
    """Get the packages, make the cluster, start it: what is done already is left out.

    Returns DATABASE_URL, which `.data/timescale.env` (0600) keeps. Raises ServiceError, with what
    to do instead, where this machine cannot.
    """
    if home.account is None or shutil.which("apt-get") is None:
        raise ServiceError(
            "`make timescale` needs root on Debian or Ubuntu. With Docker: `docker compose up -d "
            "timescaledb`; otherwise set DATABASE_URL to a PostgreSQL that has TimescaleDB."
        )
    SYSTEM.mkdir(parents=True, exist_ok=True)
    with lease.exclusive(SYSTEM / "turn.lock"):
        if not (SYSTEM / "BUILT").exists():
            _get_packages(home.account)
    with lease.exclusive(home.data / "timescale.lock"):
        return running_url(home) or _start_cluster(home, home.account)


def stop(home: Home) -> None:
    """Shut this checkout's cluster down, leaving its data; nothing to do when it is down."""
    pid = running(home)
    if pid is not None:
        signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
        daemon.stop(pid, signals=signals, patience_seconds=30)


def _root() -> Path:
    return SYSTEM / "root"


def _cluster(home: Home) -> Path:
    """The cluster's directory as we see it; the server sees it below /srv."""
    return _root() / "srv" / home.state.name


def running(home: Home) -> int | None:
    """The server's process id, None when it does not run."""
    data = _cluster(home) / "data"
    return daemon.find(data / "postmaster.pid", data)


def _url_file(home: Home) -> Path:
    return home.data / "timescale.env"


def _get_packages(account: Account) -> None:
    started = time.monotonic()
    if shutil.which("mmdebstrap") is None:
        say("installing mmdebstrap ...")
        _apt("apt-get", "-q", "update")
        _apt("apt-get", "-q", "install", "--yes", "--no-install-recommends",
             "mmdebstrap", "debian-archive-keyring")  # fmt: skip
    say(f"getting {PACKAGE} from Debian {RELEASE} (about 600 MB on disk) ...")
    shutil.rmtree(_root(), ignore_errors=True)
    _apt("mmdebstrap", "--quiet", "--variant=apt", f"--include={PACKAGE}", RELEASE, str(_root()))
    _root().chmod(0o755)
    entry = f"{SERVICE_ACCOUNT}:x:{account.uid}:{account.gid}::/srv:/usr/sbin/nologin\n"
    with (_root() / "etc" / "passwd").open("a") as users:
        users.write(entry)
    (SYSTEM / "BUILT").write_text(f"{RELEASE} {PACKAGE}\n")
    say(f"got it in {time.monotonic() - started:.0f} s")


def _apt(*command: str) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        end = "\n".join(f"  {line}" for line in done.stdout.splitlines()[-15:])
        raise ServiceError(
            f"`{' '.join(command)}` failed:\n{end}\nThe other way is `docker compose up -d "
            f"timescaledb`, with DATABASE_URL set to it."
        )


def _start_cluster(home: Home, account: Account) -> str:
    if not (_cluster(home) / "data").exists():
        _initialise(home, account)
    (_cluster(home) / "data" / "postmaster.pid").unlink(missing_ok=True)
    port = network.port_near(_last_port(home))
    password = (_cluster(home) / "password").read_text().strip()
    url = f"postgresql://{USER}:{password}@127.0.0.1:{port}/{USER}"
    settings = {**SETTINGS, "port": str(port)}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    pid = daemon.launch(
        _inside(account, "postgres", "-D", _seen_inside(home, "data"), *options),
        directory=_cluster(home),
        log="server.log",
        account=None,
    )
    _wait_until_it_answers(home, url, pid)
    databases.ensure(url)
    _remember(home, url)
    return url


def _initialise(home: Home, account: Account) -> None:
    private_directory(_cluster(home), account)
    shutil.rmtree(_cluster(home) / "unfinished", ignore_errors=True)
    unfinished = private_directory(_cluster(home) / "unfinished", account)
    password = _cluster(home) / "password"
    if not password.exists():
        password.touch(mode=0o600)
        os.chown(password, account.uid, account.gid)
        password.write_text(f"{secrets.token_urlsafe(24)}\n")
    command = _inside(
        account, "initdb", "-D", _seen_inside(home, "unfinished"), "-U", USER,
        "--auth=scram-sha-256", f"--pwfile={_seen_inside(home, 'password')}", "--encoding=UTF8",
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
    )  # fmt: skip
    done = subprocess.run(
        command, env=daemon.server_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ServiceError(f"initdb failed:\n{done.stdout}{done.stderr}")
    unfinished.rename(_cluster(home) / "data")


def _seen_inside(home: Home, name: str) -> str:
    return f"/srv/{home.state.name}/{name}"


def _inside(account: Account, program: str, *arguments: str) -> list[str]:
    user = f"--userspec=+{account.uid}:+{account.gid}"
    return ["chroot", user, "--groups=", str(_root()), f"{BINARIES}/{program}", *arguments]


def _last_port(home: Home) -> int:
    """The port of the last start, so that a printed URL stays true."""
    note = _cluster(home) / "port"
    return int(note.read_text()) if note.exists() else FIRST_PORT


def _remember(home: Home, url: str) -> None:
    (_cluster(home) / "port").write_text(str(urlsplit(url).port))
    _url_file(home).touch(mode=0o600)
    _url_file(home).write_text(f"DATABASE_URL={url}\n")


def _wait_until_it_answers(home: Home, url: str, pid: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(databases.renamed(url, "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline or not daemon.alive(pid):
                log = _cluster(home) / "server.log"
                raise ServiceError(f"TimescaleDB does not answer.\n{tail(log)}") from error
            time.sleep(0.1)
        else:
            return

"""Start a server that outlives us, find it again, stop it."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import psutil

from smartmaint.services.account import Account
from smartmaint.services.errors import ServiceError

# The shell puts the server into the background and leaves, so that nobody inherits a zombie, and
# the arguments pass as a list, so that no character of a path means anything to it.
_BACKGROUND = '"$@" >>"$0" 2>&1 </dev/null & echo $!'


def launch(command: Sequence[str], *, directory: Path, log: str, account: Account | None) -> int:
    """Start `command` in `directory`, in a session of its own, and return its process id.

    log: file name inside `directory`, appended to.
    """
    done = subprocess.run(
        ["/bin/sh", "-c", _BACKGROUND, log, *command],
        cwd=directory,
        env=server_environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        start_new_session=True,
        umask=0o077,
        **identity(account),
    )
    return int(done.stdout)


class Identity(TypedDict, total=False):
    """The arguments of subprocess that say who the child is."""

    user: int
    group: int
    extra_groups: list[int]


def identity(account: Account | None) -> Identity:
    """The arguments with which subprocess becomes `account`; none when we stay who we are."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def server_environment() -> dict[str, str]:
    """A server sees none of our variables: no secrets, no PG* defaults."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C", "TZ": "UTC"}


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def find(pid_file: Path, directory: Path) -> int | None:
    """The process that `pid_file` names, provided it works in `directory`.

    A pid file left by a crash may name a stranger's process by now; the working directory tells
    our server from a stranger.
    """
    try:
        pid = int(pid_file.read_text().splitlines()[0])
        works_in = psutil.Process(pid).cwd()
    except (FileNotFoundError, ValueError, IndexError):
        return None
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return None
    return pid if alive(pid) and Path(works_in) == directory.resolve() else None


def stop(pid: int, *, signals: Sequence[signal.Signals], patience_seconds: float) -> None:
    """Send each signal in turn, until the process is gone.

    Raises ServiceError when it survives them all.
    """
    for number in signals:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if _gone(pid, time.monotonic() + patience_seconds):
            return
    raise ServiceError(f"Process {pid} does not stop, not even on {signals[-1].name}.")


def _gone(pid: int, deadline: float) -> bool:
    """Whether the process ends before `deadline` (monotonic seconds)."""
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True

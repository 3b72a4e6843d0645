"""One `make up` a checkout, and the processes that a killed one left behind."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from smartmaint.services.errors import ServiceError
from smartmaint.services.home import Home


@contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Hold the right to serve from this checkout, having ended what an earlier holder left.

    Raises ServiceError when another process holds it.
    """
    right = os.open(home.data / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(right, fcntl.LOCK_EX | fcntl.LOCK_NB)
        end(home)
        yield
        note(home, [])
    except BlockingIOError as error:
        raise ServiceError("`make up` already runs in this checkout.") from error
    finally:
        os.close(right)


def note(home: Home, pids: list[int]) -> None:
    """Write down which processes would be left if we were killed now."""
    unfinished = home.data / "up.json.unfinished"
    unfinished.write_text(json.dumps(pids))
    unfinished.replace(home.data / "up.json")


def end(home: Home) -> None:
    """Kill the noted processes that still run in this checkout, with their children."""
    noted = home.data / "up.json"
    for pid in json.loads(noted.read_text()) if noted.exists() else []:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process = psutil.Process(pid)
            if process.cwd() == str(home.checkout.resolve()):
                for one in [*process.children(recursive=True), process]:
                    one.kill()

"""One `make up` and one `make demo` a checkout, and what a killed one left behind."""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from smartmaint.services.errors import ServiceError
from smartmaint.services.home import Home

NAMES = ("up", "demo")


@contextmanager
def only_one(home: Home, name: str) -> Iterator[None]:
    """Hold the right to run `name` in this checkout, having ended what an earlier holder left.

    Raises ServiceError when another process holds it.
    """
    right = os.open(home.data / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(right, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServiceError(f"`make {name}` already runs in this checkout.") from error
        end(home, name)
        yield
        note(home, name, [])
    finally:
        os.close(right)


def note(home: Home, name: str, pids: Sequence[int]) -> None:
    """Write down which processes would be left if we were killed now."""
    unfinished = home.data / f"{name}.json.unfinished"
    unfinished.write_text(json.dumps(pids))
    unfinished.replace(_noted(home, name))


def end(home: Home, name: str) -> None:
    """Kill the noted processes that still run in this checkout, with their children."""
    noted = _noted(home, name)
    for pid in json.loads(noted.read_text()) if noted.exists() else []:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process = psutil.Process(pid)
            if process.cwd() == str(home.checkout.resolve()):
                for one in [*process.children(recursive=True), process]:
                    one.kill()


def _noted(home: Home, name: str) -> Path:
    return home.data / f"{name}.json"

"""A breaker that all processes of a machine share: jobs live shorter than an outage.

One failure opens it, since a time-out already took as long as a caller should ever wait. It is a
file: when it may be asked again, and what went wrong.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from smartmaint.lib.breaker import Open

T = TypeVar("T")


class SharedBreaker:
    """clock: seconds that all processes of the machine agree on."""

    def __init__(
        self, path: Path, name: str, cool_down_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._path, self._name = path, name
        self._cool_down_s, self._clock = cool_down_s, clock

    def call(self, ask: Callable[[], T], on: tuple[type[Exception], ...]) -> T:
        """What `ask` gives. Open, without asking, for a cool-down after it raised one of `on`;
        then one process is let through to look."""
        self.enter()
        try:
            found = ask()
        except on as error:
            self.open(str(error))
            raise
        self.close()
        return found

    def enter(self) -> None:
        """Open where nobody is to ask now; who may look holds the door for one cool-down."""
        if not self._path.exists():
            return
        with self._path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            until, reason = _read(file.read())
            left = until - self._clock()
            if left > 0:
                raise Open(f"{self._name} ({reason})", left)
            file.seek(0)
            file.truncate()
            file.write(self._state(reason))

    def open(self, reason: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(self._state(reason))

    def close(self) -> None:
        self._path.unlink(missing_ok=True)

    def _state(self, reason: str) -> str:
        return json.dumps([self._clock() + self._cool_down_s, reason])


def _read(text: str) -> tuple[float, str]:
    """What was half written says nothing."""
    try:
        until, reason = json.loads(text)
        return float(until), str(reason)
    except (ValueError, TypeError):
        return 0.0, ""

"""Saying what goes on and how long it took, and waiting until something is so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

POLL_S = 0.5


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to look at."""


@dataclass(slots=True)
class Progress:
    """Where progress lines go, and the wall seconds of each step by name."""

    say: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    def write(self, text: str) -> None:
        """So that a command can write here: its lines, indented."""
        for line in text.splitlines():
            self.say(f"  {line}")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.say(f"… {name}")
        begun = time.monotonic()
        yield
        took = time.monotonic() - begun
        self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 1)
        self.say(f"  {took:.1f} s")


def wait_until(done: Callable[[], bool], *, what: str, limit_s: float) -> None:
    """Look twice a second; raises DemoError when it is not so within the limit."""
    give_up = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > give_up:
            raise DemoError(f"{what}: not within {limit_s:.0f} s")
        time.sleep(POLL_S)

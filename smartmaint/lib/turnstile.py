"""How much is worked on at once: so many inside, so many waiting for a moment, no more. Pure.

What is refused is refused at once, so that a queue nobody sees cannot grow.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Full(Exception):
    """Nobody else may wait now, or the wait was over."""


class Turnstile:
    """At most `inside` at work and `waiting` behind them, each for `patience_s` seconds at most.

    >>> turnstile = Turnstile(inside=1, waiting=0, patience_s=1.0)
    >>> with turnstile.passing():
    ...     turnstile.inside
    ...     with turnstile.passing():
    ...         pass
    Traceback (most recent call last):
    smartmaint.lib.turnstile.Full
    >>> turnstile.inside
    0
    """

    def __init__(self, *, inside: int, waiting: int, patience_s: float) -> None:
        if inside < 1 or waiting < 0 or patience_s < 0:
            raise ValueError("a turnstile needs inside >= 1, waiting >= 0 and patience_s >= 0")
        self.room, self.bench, self.patience_s = inside, waiting, patience_s
        self.inside = 0
        self.waiting = 0
        self._changed = threading.Condition()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Be one of those inside while the block runs. Raises Full."""
        with self._changed:
            self._enter()
        try:
            yield
        finally:
            with self._changed:
                self.inside -= 1
                self._changed.notify()

    def _enter(self) -> None:
        if self.inside >= self.room:
            self._wait()
        self.inside += 1

    def _wait(self) -> None:
        if self.waiting >= self.bench:
            raise Full
        self.waiting += 1
        try:
            if not self._changed.wait_for(lambda: self.inside < self.room, self.patience_s):
                raise Full
        finally:
            self.waiting -= 1

"""A circuit breaker: after repeated failures, stop asking for a while, then probe. Pure.

One breaker guards one thing that can be away (the store, the model registry) in one process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")

_known: WeakValueDictionary[str, Breaker] = WeakValueDictionary()


def states() -> dict[str, State]:
    """The state of every breaker of this process, by name; what /readyz and /metrics show."""
    return {name: breaker.state for name, breaker in sorted(_known.items())}


class State(StrEnum):
    """CLOSED lets calls through, OPEN refuses them, HALF_OPEN lets one through as a probe."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Open(Exception):
    """The call was not made. `retry_after_s`: seconds until the next probe may go through."""

    def __init__(self, name: str, retry_after_s: float) -> None:
        super().__init__(f"{name} is not being asked for another {retry_after_s:.1f} s")
        self.name = name
        self.retry_after_s = retry_after_s


class Breaker:
    """Opens after `failures` consecutive failures; one probe every `cool_down_s` closes it again.

    clock: seconds on a clock that never goes back.

    >>> now = 0.0
    >>> breaker = Breaker("store", failures=2, cool_down_s=30, clock=lambda: now)
    >>> for _ in range(2):
    ...     try:
    ...         breaker.call(lambda: 1 / 0, on=(ZeroDivisionError,))
    ...     except ZeroDivisionError:
    ...         pass
    >>> breaker.call(lambda: "stored", on=(ZeroDivisionError,))
    Traceback (most recent call last):
    smartmaint.lib.breaker.Open: store is not being asked for another 30.0 s
    >>> now = 30.0
    >>> breaker.call(lambda: "stored", on=(ZeroDivisionError,))
    'stored'
    >>> breaker.state
    <State.CLOSED: 'closed'>
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        cool_down_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failures < 1 or cool_down_s <= 0:
            raise ValueError("a breaker needs failures >= 1 and cool_down_s > 0")
        self.name = name
        self._limit = failures
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at: float | None = None  # None: closed
        self._probing = False
        self._turn = 0  # counts openings, closings and probes: a result of an earlier turn is late
        _known[name] = self

    @property
    def state(self) -> State:
        with self._lock:
            if self._retry_at is None:
                return State.CLOSED
            waiting = self._clock() < self._retry_at and not self._probing
            return State.OPEN if waiting else State.HALF_OPEN

    def call(self, fn: Callable[[], T], on: tuple[type[BaseException], ...] = (Exception,)) -> T:
        """fn's result. Only exceptions in `on` count as failures; all of them pass through.

        An exception outside `on` says nothing about the thing that is guarded, so it neither opens
        nor closes. Raises Open, without calling fn, while open.
        """
        turn = self._enter()
        try:
            result = fn()
        except on:
            self._failed(turn)
            raise
        except BaseException:
            self._unproven(turn)
            raise
        self._succeeded(turn)
        return result

    def _enter(self) -> int:
        with self._lock:
            if self._retry_at is None:
                return self._turn
            now = self._clock()
            if now < self._retry_at:
                raise Open(self.name, self._retry_at - now)
            # The probe holds the door for one cool-down; one that hangs longer is given up.
            self._turn_to(retry_at=now + self._cool_down_s, probing=True)
            return self._turn

    def _failed(self, turn: int) -> None:
        with self._lock:
            if turn != self._turn:
                return
            self._failures += 1
            if self._probing or self._failures >= self._limit:
                self._turn_to(retry_at=self._clock() + self._cool_down_s)

    def _succeeded(self, turn: int) -> None:
        with self._lock:
            if turn != self._turn:
                return
            self._failures = 0
            if self._probing:
                self._turn_to(retry_at=None)

    def _unproven(self, turn: int) -> None:
        with self._lock:
            if turn == self._turn and self._probing:
                self._turn_to(retry_at=self._clock())

    def _turn_to(self, *, retry_at: float | None, probing: bool = False) -> None:
        self._retry_at = retry_at
        self._probing = probing
        self._turn += 1

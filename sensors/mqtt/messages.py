"""Messages between the broker's thread and the bridge's: bounded, and in the order they came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came. serial: its place in the order of receipt.

    number: the broker's packet identifier; connection: which connection of this process it came by,
    for a number may be acknowledged by that one only. arrived: ISO 8601, UTC, no two alike.
    """

    serial: int
    number: int
    qos: int
    is_dup: bool
    is_retained: bool
    topic: str
    payload: bytes
    arrived: str
    connection: int


class Inbox:
    """Messages that wait for the bridge: at most `max_messages`, and about `max_bytes`.

    Who puts into a full one waits, and with it the connection: the broker then holds the rest.
    """

    def __init__(self, *, max_messages: int, max_bytes: int) -> None:
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self.most = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> bool:
        """Wait for room and add; False when the inbox was closed and the message left out."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._has_room(message))
            if self._is_closed:
                return False
            self._messages.append(message)
            self._bytes += len(message.payload)
            self.most = max(self.most, len(self._messages))
            self._changed.notify_all()
            return True

    def get(self, timeout_s: float) -> Message | None:
        """The oldest message; None when none comes in time, or ever again."""
        with self._changed:
            self._changed.wait_for(lambda: self._messages or self._is_closed, timeout_s)
            if not self._messages:
                return None
            message = self._messages.popleft()
            self._bytes -= len(message.payload)
            self._changed.notify_all()
            return message

    def close(self) -> None:
        """Take nothing more; what is in it can still be had."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _has_room(self, message: Message) -> bool:
        if not self._messages:
            return True
        return (
            len(self._messages) < self._max_messages
            and self._bytes + len(message.payload) <= self._max_bytes
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """What acknowledging a message takes; the payload need not be kept for that."""

    serial: int
    number: int
    connection: int


class Unacknowledged:
    """Messages in the order they came, of which some are done: MQTT acknowledges in that order."""

    def __init__(self) -> None:
        self._waiting: deque[Claim] = deque()
        self._done: set[int] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def received(self, message: Message) -> None:
        """Note a message, unless it came with QoS 0 and nobody waits for its acknowledgement."""
        if message.qos:
            self._waiting.append(Claim(message.serial, message.number, message.connection))

    def settle(self, messages: Iterable[Message]) -> list[Claim]:
        """Note that these are done. Returns what may be acknowledged now, oldest first."""
        self._done.update(message.serial for message in messages if message.qos)
        due = []
        while self._waiting and self._waiting[0].serial in self._done:
            claim = self._waiting.popleft()
            self._done.discard(claim.serial)
            due.append(claim)
        return due

"""Share the embedded servers: first in starts them, last out stops them.

Every user of the servers holds a shared lock on one file. The kernel lets go of it when the holder
dies, however it dies, so no count can go stale.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def shared(
    directory: Path, *, start: Callable[[], None], stop: Callable[[], None]
) -> Iterator[None]:
    """Hold the servers of `directory` for the length of the block.

    start: brings up what is not up; called on every entry. stop: called by the last to leave.
    Both run one at a time over all processes.
    """
    holders = os.open(directory / "holders.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            with exclusive(directory / "turn.lock"):
                fcntl.flock(holders, fcntl.LOCK_SH)
                start()
            yield
        finally:
            with exclusive(directory / "turn.lock"):
                if _is_last(holders):
                    stop()
    finally:
        os.close(holders)


def _is_last(holders: int) -> bool:
    try:
        fcntl.flock(holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold `lock` alone, waiting for it as long as it takes."""
    turn = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
    finally:
        os.close(turn)


@contextmanager
def first_free(directory: Path, name: str, count: int) -> Iterator[int]:
    """Hold the lowest of `count` numbers, from 0, that no other process holds.

    When all are taken, waits for number 0.
    """
    for number in range(count):
        slot = os.open(directory / f"{name}-{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if _is_last(slot):
                yield number
                return
        finally:
            os.close(slot)
    with exclusive(directory / f"{name}-0.lock"):
        yield 0

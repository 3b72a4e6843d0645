"""Something to be told to others soon, by a thread of its own: who asks for it does not wait."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Waker:
    """Calls `wake` soon after each `ask`; what is asked for before it begins is one call.

    The thread begins with the first ask, so after a server has forked, and ends with the process.
    What was asked for a moment before that end may never be told.

    >>> told = threading.Event()
    >>> Waker(told.set).ask()
    >>> told.wait(10)
    True
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._asked = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        self._asked.set()
        if self._thread is None or not self._thread.is_alive():
            self._begin()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            self._wake()

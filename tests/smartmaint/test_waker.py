"""What is to be told to others is told soon, once for all that asked meanwhile."""

from __future__ import annotations

import threading
import time

import pytest

from anomalies import receivers, tasks
from sensors.signals import readings_ingested
from smartmaint.lib.waker import Waker


def until(told: list[int], n: int) -> None:
    deadline = time.monotonic() + 10
    while len(told) < n:
        assert time.monotonic() < deadline, told
        time.sleep(0.001)


def test_what_is_asked_for_while_it_is_at_work_is_one_more_call() -> None:
    told: list[int] = []
    go_on = threading.Event()

    def wake() -> None:
        told.append(1)
        assert go_on.wait(10)

    waker = Waker(wake)
    waker.ask()
    until(told, 1)
    for _ in range(5):
        waker.ask()
    go_on.set()
    until(told, 2)
    time.sleep(0.05)
    assert len(told) == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_after_an_error_the_next_ask_is_heard() -> None:
    told: list[int] = []

    def wake() -> None:
        told.append(1)
        if len(told) == 1:
            raise RuntimeError("away")

    waker = Waker(wake)
    waker.ask()
    until(told, 1)
    while waker._thread is not None and waker._thread.is_alive():
        time.sleep(0.001)
    waker.ask()
    until(told, 2)


def test_a_web_process_tells_redis_beside_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[int] = []
    in_thread: list[str] = []

    def wake() -> None:
        in_thread.append(threading.current_thread().name)
        told.append(1)

    monkeypatch.setattr(tasks, "wake_detection", wake)
    monkeypatch.setattr(receivers, "_waker", Waker(wake))
    for pooled in (True, False):
        monkeypatch.setattr(receivers.settings, "DB_POOL", pooled)
        readings_ingested.send(sender=None)
        until(told, 1 if pooled else 2)
    assert in_thread == ["waker", threading.current_thread().name]

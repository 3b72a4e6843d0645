"""The turnstile: never more inside than there is room, and nobody waits unseen."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from smartmaint.lib.turnstile import Full, Turnstile


def test_never_more_are_inside_than_there_is_room() -> None:
    turnstile = Turnstile(inside=3, waiting=50, patience_s=30)
    seen, lock = [], threading.Lock()

    def pass_through(_: int) -> None:
        with turnstile.passing(), lock:
            seen.append(turnstile.inside)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(pass_through, range(500)))
    assert len(seen) == 500
    assert max(seen) <= 3
    assert (turnstile.inside, turnstile.waiting) == (0, 0)


def test_who_finds_every_place_to_wait_taken_is_refused_at_once() -> None:
    turnstile = Turnstile(inside=1, waiting=1, patience_s=30)
    entered, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with turnstile.passing():
            entered.set()
            leave.wait(30)

    def follow() -> None:
        with turnstile.passing():
            pass

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(stay)
        assert entered.wait(30)
        second = pool.submit(follow)
        while not turnstile.waiting:
            assert not second.done()
        with pytest.raises(Full), turnstile.passing():
            pass
        leave.set()
        assert (first.result(30), second.result(30)) == (None, None)


def test_a_wait_ends_when_patience_does() -> None:
    turnstile = Turnstile(inside=1, waiting=5, patience_s=0.01)
    with turnstile.passing():
        with pytest.raises(Full), turnstile.passing():
            pass
        assert (turnstile.inside, turnstile.waiting) == (1, 0)


def test_an_error_inside_makes_room_again() -> None:
    turnstile = Turnstile(inside=1, waiting=0, patience_s=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turnstile.passing():
            raise ZeroDivisionError
    assert turnstile.inside == 0


@pytest.mark.parametrize("wrong", [{"inside": 0}, {"waiting": -1}, {"patience_s": -1.0}])
def test_a_turnstile_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="turnstile"):
        Turnstile(**{"inside": 1, "waiting": 1, "patience_s": 1.0, **wrong})  # type: ignore[arg-type]

"""The breaker against a model of it, and what threads may do to it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from smartmaint.lib import breaker
from smartmaint.lib.breaker import Breaker, Open, State

FAILURES, COOL_DOWN = 3, 10.0


class StoreAway(Exception):
    pass


class BadPayload(Exception):
    pass


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def away() -> None:
    raise StoreAway


def bad() -> None:
    raise BadPayload


def there() -> str:
    return "stored"


def state_of(guard: Breaker) -> State:
    """The state as it is now; a type checker takes a property for constant."""
    return guard.state


def opened(clock: Clock) -> Breaker:
    guard = Breaker("store", failures=FAILURES, cool_down_s=COOL_DOWN, clock=clock)
    for _ in range(FAILURES):
        with pytest.raises(StoreAway):
            guard.call(away, on=(StoreAway,))
    return guard


def test_it_opens_at_the_last_allowed_failure_and_says_how_long() -> None:
    clock = Clock()
    guard = opened(clock)
    clock.now += 4
    with pytest.raises(Open) as refused:
        guard.call(there)
    assert guard.state is State.OPEN
    assert refused.value.retry_after_s == pytest.approx(6.0)


def test_a_refused_call_is_not_made() -> None:
    guard = opened(Clock())
    calls: list[int] = []
    with pytest.raises(Open):
        guard.call(lambda: calls.append(1))
    assert calls == []


def test_a_success_in_between_starts_the_count_again() -> None:
    guard = Breaker("store", failures=2, clock=Clock())
    for _ in range(5):
        with pytest.raises(StoreAway):
            guard.call(away, on=(StoreAway,))
        assert guard.call(there) == "stored"
    assert guard.state is State.CLOSED


def test_a_bad_payload_never_opens_it() -> None:
    guard = Breaker("store", failures=1, clock=Clock())
    for _ in range(10):
        with pytest.raises(BadPayload):
            guard.call(bad, on=(StoreAway,))
    assert guard.state is State.CLOSED


def test_a_bad_payload_as_the_probe_neither_closes_nor_opens_it() -> None:
    clock = Clock()
    guard = opened(clock)
    clock.now += COOL_DOWN
    with pytest.raises(BadPayload):
        guard.call(bad, on=(StoreAway,))
    assert state_of(guard) is State.HALF_OPEN
    assert guard.call(there) == "stored"
    assert state_of(guard) is State.CLOSED


def test_a_failed_probe_opens_it_for_another_cool_down() -> None:
    clock = Clock()
    guard = opened(clock)
    clock.now += COOL_DOWN
    with pytest.raises(StoreAway):
        guard.call(away, on=(StoreAway,))
    with pytest.raises(Open) as refused:
        guard.call(there)
    assert refused.value.retry_after_s == pytest.approx(COOL_DOWN)


def test_of_many_threads_one_probes() -> None:
    clock = Clock()
    guard = opened(clock)
    clock.now += COOL_DOWN
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        inside.set()
        assert go_on.wait(5)
        return "stored"

    with ThreadPoolExecutor(8) as pool:
        probe = pool.submit(guard.call, slow)
        assert inside.wait(5)
        others = [pool.submit(guard.call, there) for _ in range(7)]
        assert all(isinstance(other.exception(5), Open) for other in others)
        assert state_of(guard) is State.HALF_OPEN
        go_on.set()
        assert probe.result(5) == "stored"
    assert state_of(guard) is State.CLOSED


def test_a_probe_that_hangs_is_given_up_and_its_late_answer_ignored() -> None:
    clock = Clock()
    guard = opened(clock)
    clock.now += COOL_DOWN

    def hangs() -> None:
        clock.now += COOL_DOWN
        with pytest.raises(StoreAway):
            guard.call(away, on=(StoreAway,))

    guard.call(hangs, on=(StoreAway,))
    assert guard.state is State.OPEN


def test_a_slow_failure_from_before_the_opening_does_not_extend_it() -> None:
    clock = Clock()
    guard = Breaker("store", failures=1, cool_down_s=COOL_DOWN, clock=clock)

    def slow_failure() -> None:
        with pytest.raises(StoreAway):
            guard.call(away, on=(StoreAway,))
        clock.now += COOL_DOWN - 1
        raise StoreAway

    with pytest.raises(StoreAway):
        guard.call(slow_failure, on=(StoreAway,))
    clock.now += 1
    assert guard.state is State.HALF_OPEN


def test_states_lists_every_living_breaker() -> None:
    guard = Breaker("a thing that only this test guards")
    assert breaker.states()[guard.name] is State.CLOSED
    name = guard.name
    del guard
    assert name not in breaker.states()


@pytest.mark.parametrize("wrong", [{"failures": 0}, {"cool_down_s": 0}])
def test_senseless_limits_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="failures >= 1 and cool_down_s > 0"):
        Breaker("store", **wrong)


class BreakerMachine(RuleBasedStateMachine):
    """A breaker called by one thread, next to a model of three lines."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.guard = Breaker("m", failures=FAILURES, cool_down_s=COOL_DOWN, clock=self.clock)
        self.in_a_row = 0
        self.open_until: float | None = None

    def refuses(self) -> bool:
        return self.open_until is not None and self.clock.now < self.open_until

    @rule(seconds=st.sampled_from([0.5, 3.0, COOL_DOWN]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @precondition(lambda self: not self.refuses())
    @rule()
    def succeed(self) -> None:
        assert self.guard.call(there, on=(StoreAway,)) == "stored"
        self.in_a_row, self.open_until = 0, None

    @precondition(lambda self: not self.refuses())
    @rule()
    def fail(self) -> None:
        with pytest.raises(StoreAway):
            self.guard.call(away, on=(StoreAway,))
        self.in_a_row += 1
        if self.open_until is not None or self.in_a_row >= FAILURES:
            self.open_until = self.clock.now + COOL_DOWN

    @precondition(lambda self: not self.refuses())
    @rule()
    def send_nonsense(self) -> None:
        with pytest.raises(BadPayload):
            self.guard.call(bad, on=(StoreAway,))

    @precondition(lambda self: self.refuses())
    @rule()
    def be_refused(self) -> None:
        with pytest.raises(Open) as refused:
            self.guard.call(there, on=(StoreAway,))
        assert self.open_until is not None
        assert refused.value.retry_after_s == pytest.approx(self.open_until - self.clock.now)

    @invariant()
    def state_agrees(self) -> None:
        if self.open_until is None:
            assert self.guard.state is State.CLOSED
        elif self.refuses():
            assert self.guard.state is State.OPEN
        else:
            assert self.guard.state is State.HALF_OPEN


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

"""The token bucket: never more than rate and burst allow, and never less."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from smartmaint.lib.token_bucket import TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 7.0

    def __call__(self) -> float:
        return self.now


class BucketMachine(RuleBasedStateMachine):
    RATE, BURST = 2.0, 5.0

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.begun = self.clock.now
        self.bucket = TokenBucket(self.RATE, self.BURST, self.clock)
        self.granted = 0.0

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(n=st.integers(1, 5))
    def take(self, n: int) -> None:
        wait = self.bucket.take(n)
        assert wait >= 0
        if wait == 0:
            self.granted += n
            return
        # Waiting as told is enough, and waiting less is not.
        self.clock.now += wait * 0.9
        assert self.bucket.take(n) > 0
        self.clock.now += wait * 0.1 + 1e-6
        assert self.bucket.take(n) == 0
        self.granted += n

    @invariant()
    def never_more_than_allowed(self) -> None:
        elapsed = self.clock.now - self.begun
        assert self.granted <= self.BURST + self.RATE * elapsed + 1e-6


TestBucketMachine = BucketMachine.TestCase
TestBucketMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(idle=st.floats(0, 1e6))
def test_however_long_it_was_idle_it_holds_no_more_than_the_burst(idle: float) -> None:
    clock = Clock()
    bucket = TokenBucket(rate=3, burst=4, clock=clock)
    clock.now += idle
    assert [bucket.take() > 0 for _ in range(5)] == [False] * 4 + [True]


def test_a_clock_that_steps_back_takes_nothing_away() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=1, burst=2, clock=clock)
    clock.now -= 100
    assert bucket.take(2) == 0.0


def test_threads_together_get_the_burst_once() -> None:
    bucket = TokenBucket(rate=1, burst=50, clock=Clock())
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: bucket.take(), range(200)))
    assert waits.count(0.0) == 50


@pytest.mark.parametrize("n", [0, -1, 6])
def test_more_than_it_ever_holds_is_an_error_not_an_endless_wait(n: int) -> None:
    with pytest.raises(ValueError, match="cannot take"):
        TokenBucket(rate=1, burst=5, clock=Clock()).take(n)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1)])
def test_senseless_rates_are_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="rate > 0 and burst > 0"):
        TokenBucket(rate, burst)

"""What the tests of sensors share."""

from __future__ import annotations

import pytest
from hypothesis import settings

from sensors import limits, store
from smartmaint.lib.breaker import Breaker
from smartmaint.lib.turnstile import Turnstile

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("sensors", deadline=None)
settings.load_profile("sensors")


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breakers and estimates as a process has them that has just started."""
    monkeypatch.setattr(store, "breaker", Breaker("store"))
    monkeypatch.setattr(limits, "limiter_breaker", Breaker("limiter", failures=2, cool_down_s=10))
    monkeypatch.setattr(limits, "backlog", limits.Backlog())
    # Patient: how busy the machine is must not decide what a test is answered.
    monkeypatch.setattr(limits, "turnstile", Turnstile(inside=4, waiting=100, patience_s=60))
    limits._local.clear()
    limits._shares.clear()

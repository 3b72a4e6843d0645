"""What the tests of sensors share."""

from __future__ import annotations

import pytest
from hypothesis import settings

from sensors import limits, store
from smartmaint.lib.breaker import Breaker

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("sensors", deadline=None)
settings.load_profile("sensors")


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breakers and estimates as a process has them that has just started."""
    monkeypatch.setattr(store, "breaker", Breaker("store"))
    monkeypatch.setattr(limits, "limiter_breaker", Breaker("limiter", failures=2, cool_down_s=10))
    monkeypatch.setattr(limits, "backlog", limits.Backlog())
    limits._local.clear()

"""Times taken in turns with a limit's, and where the time of a call goes."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np


def nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Measured:
    """A line of the table: a call about `readings`, and its limit, in seconds round by round.

    Both come from the same rounds. A ratio is the limit's time by ours: 1 is as fast as the limit,
    0.5 takes twice as long.
    """

    name: str
    against: str
    readings: int
    own_each: tuple[float, ...]
    limit_each: tuple[float, ...]

    @property
    def own_s(self) -> float:
        return float(np.median(self.own_each))

    @property
    def limit_s(self) -> float:
        return float(np.median(self.limit_each))

    @property
    def ratio(self) -> float:
        return self.limit_s / self.own_s

    @property
    def p99_s(self) -> float:
        return float(np.quantile(self.own_each, 0.99))

    @property
    def quartiles(self) -> tuple[float, float]:
        ratios = np.array(self.limit_each) / np.array(self.own_each)
        low, high = np.quantile(ratios, [0.25, 0.75])
        return float(low), float(high)


def measure(
    name: str,
    own: Callable[[], object],
    limit: Callable[[], object],
    *,
    against: str,
    readings: int,
    rounds: int,
    before: Callable[[], object] = nothing,
    before_limit: Callable[[], object] = nothing,
) -> Measured:
    """Both in turns, so that what else the machine does meets both; one round more warms up."""
    gc.collect()
    pairs = []
    for _ in range(rounds + 1):
        before()
        own_s = seconds(own)
        before_limit()
        pairs.append((own_s, seconds(limit)))
    own_each, limit_each = zip(*pairs[1:], strict=True)
    return Measured(name, against, readings, own_each, limit_each)


def cpu_seconds(backend: int) -> float:
    """That this process and a server process on this machine have computed, whoever else ran."""
    fields = Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


class Stopwatch:
    """Where the time goes: seconds spent in functions, by label, without those inside them."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def watching(self, functions: dict[str, tuple[Any, str]]) -> Iterator[None]:
        """functions: label → (module, name of the function in it)."""
        with ExitStack() as held:
            for label, (module, name) in functions.items():
                watched = self._watched(label, getattr(module, name))
                held.enter_context(patch.object(module, name, watched))
            yield

    @contextmanager
    def on(self, label: str) -> Iterator[None]:
        self._turn()
        self._running.append(label)
        try:
            yield
        finally:
            self._turn()
            self._running.pop()

    def shares(self) -> dict[str, float]:
        whole = sum(self.spent.values())
        return {label: spent / whole for label, spent in self.spent.most_common()}

    def _watched(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.on(label):
                return function(*args, **kwargs)

        return timed

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.spent[self._running[-1]] += now - self._since
        self._since = now

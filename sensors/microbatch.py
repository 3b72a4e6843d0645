"""What gathers until there is enough of it, or until it has waited long enough. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class MicroBatch(Generic[T]):
    """Items gather until they weigh `size` or the first has waited `timeout_s` seconds.

    clock: seconds on a clock that never goes back.
    """

    size: int
    timeout_s: float
    clock: Callable[[], float] = time.monotonic
    _items: list[T] = field(default_factory=list)
    _weight: int = 0
    _since: float = 0.0

    def add(self, item: T, *, weight: int = 1) -> None:
        if not self._items:
            self._since = self.clock()
        self._items.append(item)
        self._weight += weight

    def __len__(self) -> int:
        return len(self._items)

    def due_in(self) -> float | None:
        """Seconds until the items should go, 0 if now; None while there is none."""
        if not self._items:
            return None
        if self._weight >= self.size:
            return 0.0
        return max(self._since + self.timeout_s - self.clock(), 0.0)

    def take(self) -> list[T]:
        """The items that wait; none are left."""
        items, self._items, self._weight = self._items, [], 0
        return items

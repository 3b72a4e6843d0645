"""A token bucket: so many a second on average, so many at once. Pure, one process.

The bucket that all processes share lives in Redis; this one serves while Redis is away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """`rate` tokens a second flow in, at most `burst` are held; full at the start.

    clock: seconds on a clock that never goes back.

    >>> now = 0.0
    >>> bucket = TokenBucket(rate=2.0, burst=1, clock=lambda: now)
    >>> bucket.take(), bucket.take()
    (0.0, 0.5)
    >>> now = 0.5
    >>> bucket.take()
    0.0
    """

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if rate <= 0 or burst <= 0:
            raise ValueError("a token bucket needs rate > 0 and burst > 0")
        self.rate = rate
        self.burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = self.burst
        self._filled_at = clock()

    def take(self, n: float = 1) -> float:
        """Take n tokens: 0.0 when granted, else the seconds until n are there (nothing is taken).

        Raises ValueError when n is more than the bucket ever holds.
        """
        if not 0 < n <= self.burst:
            raise ValueError(f"cannot take {n} from a bucket of {self.burst:g}")
        with self._lock:
            now = self._clock()
            elapsed = max(0.0, now - self._filled_at)
            self._tokens = min(self.burst, self._tokens + elapsed * self.rate)
            self._filled_at = now
            if self._tokens >= n:
                self._tokens -= n
                return 0.0
            return (n - self._tokens) / self.rate

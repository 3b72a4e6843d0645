"""Sending readings to a running smartmaint over HTTP, as a device does. Knows no Django."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import requests

from sensors.generator.rows import Row

TIMEOUT_S = 30
WAIT_S = 1.0


class PostRefusedError(Exception):
    """The server will not take the batch, or could not be reached in time."""


@dataclass(slots=True)
class Poster:
    """Posts batches of one key to one server.

    What the server answers with 429 or 503 is sent again after its Retry-After, what finds no
    server after a second, until patience_s is over; `say` is told the first time. A batch sent
    twice counts once there.
    """

    url: str
    key: str
    patience_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    session: requests.Session = field(default_factory=requests.Session)
    say: Callable[[str], object] = lambda _line: None

    def post(self, rows: Sequence[Row]) -> dict[str, Any]:
        """The server's receipt. Raises PostRefusedError with what it said instead of one."""
        body = gzip.compress(orjson.dumps(rows), compresslevel=1)
        give_up, is_told = self.clock() + self.patience_s, False
        while True:
            said, wait_s = self._try(body)
            if isinstance(said, dict):
                return said
            if wait_s is None or self.clock() + wait_s > give_up:
                raise PostRefusedError(said)
            if not is_told:
                self.say(f"{said}; it is sent again for {self.patience_s:g} s")
                is_told = True
            self.sleep(wait_s)

    def _try(self, body: bytes) -> tuple[dict[str, Any] | str, float | None]:
        """The receipt; or what went wrong and the seconds after which to try again, if at all."""
        try:
            answer = self.session.post(
                f"{self.url.rstrip('/')}/api/v1/readings",
                data=body,
                headers={
                    "Authorization": f"Api-Key {self.key}",
                    "Content-Type": "application/json",
                    "Content-Encoding": "gzip",
                },
                timeout=TIMEOUT_S,
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            return f"{self.url} does not answer: {error}", WAIT_S
        if answer.ok:
            return answer.json(), None
        said = f"{self.url} answered {answer.status_code}: {answer.text[:500]}"
        return said, _retry_after(answer) if answer.status_code in {429, 503} else None


def _retry_after(answer: requests.Response) -> float:
    try:
        return max(float(answer.headers.get("Retry-After", WAIT_S)), 0.05)
    except ValueError:
        return WAIT_S

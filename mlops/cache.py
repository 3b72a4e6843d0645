"""Where artifacts and detectors are kept close: files by hash, objects by version."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")
_POLL_S = 0.01


def digest(artifact: bytes) -> str:
    """SHA-256 in hexadecimal: the name an artifact is approved and kept under."""
    return sha256(artifact).hexdigest()


class Shelf(Generic[T]):
    """The `size` most recently used things, each for `ttl_s` seconds; for several threads."""

    def __init__(
        self, size: int, ttl_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size, self._ttl_s, self._clock = size, ttl_s, clock
        self._lock = Lock()
        self._things: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, key: str) -> T | None:
        with self._lock:
            put_at, thing = self._things.get(key, (-float("inf"), None))
            if self._clock() - put_at >= self._ttl_s:
                self._things.pop(key, None)
                return None
            self._things.move_to_end(key)
            return thing

    def put(self, key: str, thing: T) -> None:
        with self._lock:
            self._things[key] = (self._clock(), thing)
            self._things.move_to_end(key)
            while len(self._things) > self._size:
                self._things.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._things.clear()

    def __len__(self) -> int:
        return len(self._things)


class Cellar:
    """Artifacts on disk under their SHA-256; shared by all processes of a machine.

    A file that does not hash to its name is removed and counts as absent.
    """

    def __init__(self, directory: Path, size: int) -> None:
        self._directory, self._size = directory, size

    def get(self, sha256: str) -> bytes | None:
        path = self._path(sha256)
        try:
            artifact = path.read_bytes()
        except OSError:
            return None
        if digest(artifact) != sha256:
            path.unlink(missing_ok=True)
            return None
        return artifact

    def put(self, artifact: bytes) -> None:
        self._written(self._path(digest(artifact)), artifact)
        self._prune()

    def _written(self, path: Path, content: bytes) -> None:
        """Written aside and renamed, so that nobody reads half a file."""
        self._directory.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=self._directory, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(aside).replace(path)

    def get_ready(self, sha256: str) -> bytes | None:
        """What was put beside the artifact, as it is; who asks knows whether to believe it."""
        try:
            return self._path(sha256).with_suffix(".ready").read_bytes()
        except OSError:
            return None

    def put_ready(self, sha256: str, content: bytes) -> None:
        self._written(self._path(sha256).with_suffix(".ready"), content)

    @contextmanager
    def turn(self, sha256: str, wait_s: float) -> Iterator[bool]:
        """One process at a time to fetch an artifact. False: the turn did not come within wait_s,
        or the artifact was put meanwhile; there is nothing to fetch, or no time to."""
        self._directory.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + wait_s
        with self._path(sha256).with_suffix(".lock").open("ab") as lock:
            mine = _locked(lock.fileno())
            while not mine and time.monotonic() < until and not self._path(sha256).exists():
                time.sleep(_POLL_S)
                mine = _locked(lock.fileno())
            yield mine and not self._path(sha256).exists()

    def _path(self, sha256: str) -> Path:
        return self._directory / f"{sha256}.zip"

    def _prune(self) -> None:
        """Keep the newest; another process may be pruning as well."""
        dated = []
        for path in self._directory.glob("*.zip"):
            try:
                dated.append((path.stat().st_mtime, path))
            except FileNotFoundError:
                continue
        for _, path in sorted(dated)[: -self._size]:
            path.unlink(missing_ok=True)
            for beside in (".lock", ".ready", ".asked"):
                path.with_suffix(beside).unlink(missing_ok=True)


def _locked(descriptor: int) -> bool:
    """Whether the lock is this process's now; it goes when the file is closed, however that is."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

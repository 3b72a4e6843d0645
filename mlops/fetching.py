"""From the registry to this machine's disk: one process at a time, and never for long in a job.

A job waits settings.MODEL_PATIENCE_SECONDS. What takes longer is fetched by a process of its own
(`python -m mlops.fetching`), which outlives the job; the job judges by the next lower rung.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from django.conf import settings

from mlops import registry
from mlops.cache import Cellar, digest
from mlops.outage import SharedBreaker
from mlops.registry import Wait
from smartmaint.lib import breaker

T = TypeVar("T")

COOL_DOWN_S = 10.0
LEAST_S = 0.05
ASKED_AGAIN_S = 10.0
REGISTRY, ARTIFACTS = "model registry", "model artifacts"
# Seconds between two signs of life of the bucket, and for all of it, where nobody waits.
UNHURRIED = Wait(60.0, 600.0)


class Unavailable(Exception):
    """The version cannot be had now; the message says why."""


class NotTheOne(Exception):
    """What the registry holds does not hash to what was approved."""


class _ByAnother(registry.RegistryAway):
    """Another process fetches it, and did not come to an end in time."""


def soon() -> float:
    """Until when detection waits for models, on the monotonic clock."""
    return time.monotonic() + float(settings.MODEL_PATIENCE_SECONDS)


def hurried(until: float) -> Wait:
    """What is left of that; a disk and a server near by may answer in the least of it."""
    left_s = max(until - time.monotonic(), LEAST_S)
    return Wait(left_s, left_s)


def cellar() -> Cellar:
    return Cellar(settings.MODEL_CACHE_DIR, settings.MODEL_CACHE_SIZE)


def door(what: str) -> SharedBreaker:
    """The breaker in front of the registry, or of the store of its artifacts."""
    path = settings.MODEL_CACHE_DIR / f"{what.replace(' ', '-')}.away"
    return SharedBreaker(path, what, COOL_DOWN_S)


def fetched(name: str, version: int, sha256: str, wait: Wait) -> tuple[bytes, bool]:
    """The artifact that hashes to sha256, and whether it was downloaded just now.

    Unavailable where it is not had within the wait, NotTheOne where it is another.
    """
    if (artifact := cellar().get(sha256)) is not None:
        return artifact, False
    artifact, downloaded = guarded(ARTIFACTS, lambda: _in_turn(name, version, sha256, wait))
    if digest(artifact) != sha256:
        raise NotTheOne(f"the artifact of {name} v{version} is not the one that was approved")
    return artifact, downloaded


def guarded(what: str, ask: Callable[[], T]) -> T:
    """What `ask` gives; Unavailable where it fails or failed a moment ago, here or elsewhere."""
    try:
        return door(what).call(ask, on=(registry.RegistryAway,))
    except (registry.RegistryAway, registry.NotRegistered, breaker.Open) as error:
        raise Unavailable(str(error)) from error


def failed_just_now(error: Unavailable) -> bool:
    """Whether it was tried, and nobody goes on trying."""
    cause = error.__cause__
    return isinstance(cause, registry.RegistryAway) and not isinstance(cause, _ByAnother)


def _in_turn(name: str, version: int, sha256: str, wait: Wait) -> tuple[bytes, bool]:
    kept = cellar()
    with kept.turn(sha256, wait.total_s) as mine:
        if mine:
            artifact = registry.download(name, version, wait)
            if digest(artifact) == sha256:
                kept.put(artifact)
            return artifact, True
    if (found := kept.get(sha256)) is None:
        raise _ByAnother(f"{name} v{version} is being fetched by another process")
    return found, False


def go_on_behind(name: str, version: int, sha256: str) -> None:
    """Let a process of its own fetch what took too long; one at a time for each artifact, and none
    where one was started a moment ago."""
    asked = settings.MODEL_CACHE_DIR / f"{sha256}.asked"
    if asked.exists() and time.time() - asked.stat().st_mtime < ASKED_AGAIN_S:
        return
    asked.parent.mkdir(parents=True, exist_ok=True)
    asked.touch()
    told = {
        "MLFLOW_TRACKING_URI": str(settings.MLFLOW_TRACKING_URI),
        "MODEL_CACHE_DIR": str(settings.MODEL_CACHE_DIR),
    }
    subprocess.Popen(  # noqa: S603 - our own interpreter and module; the rest is arguments
        [sys.executable, "-m", "mlops.fetching", name, str(version), sha256],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **told},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # it outlives the job that started it
    )


def main(arguments: Sequence[str]) -> int:
    """0: it is on disk. Whoever else fetches it already is left to it."""
    parser = ArgumentParser(prog="python -m mlops.fetching")
    parser.add_argument("name")
    parser.add_argument("version", type=int)
    parser.add_argument("sha256")
    asked = parser.parse_args(arguments)
    with cellar().turn(asked.sha256, 0.0) as mine:
        if not mine:
            return 0
        try:
            artifact = registry.download(asked.name, asked.version, UNHURRIED)
        except (registry.RegistryAway, registry.NotRegistered) as error:
            door(ARTIFACTS).open(str(error))
            sys.stderr.write(f"{error}\n")
            return 1
        if digest(artifact) != asked.sha256:
            sys.stderr.write(f"{asked.name} v{asked.version} is not the one that was approved\n")
            return 1
        cellar().put(artifact)
        door(ARTIFACTS).close()
    return 0


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartmaint.settings")
    raise SystemExit(main(sys.argv[1:]))

"""One file an experiment; `manage.py train NAME` runs one by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Protocol

# Order is the order of `train all`: what needs no stored readings last.
PIPELINES = {
    "anomaly": "mlops.pipelines.anomaly",
    "synthetic-validation": "mlops.pipelines.synthetic_validation",
}


class NoData(LookupError):
    """There is nothing to train on; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a pipeline is asked to do. `say` gets one line for people at each step."""

    now: datetime
    seed: int = 0
    fast: bool = False
    promote: bool = True
    say: Callable[[str], None] = field(default=lambda _line: None)


@dataclass(frozen=True, slots=True)
class Trained:
    """A registered version and how it did; role is champion, challenger or empty."""

    model: str
    version: int
    detector: str
    metrics: dict[str, float]
    role: str = ""


class Pipeline(Protocol):
    def __call__(self, order: Order) -> list[Trained]: ...


def pipeline_named(name: str) -> Pipeline:
    """KeyError for a name that is not in PIPELINES."""
    found: Pipeline = import_module(PIPELINES[name]).run
    return found

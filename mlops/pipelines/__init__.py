"""One file an experiment; `manage.py train NAME` runs one by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

# Order is the order of `train all`.
PIPELINES = {
    "anomaly": "mlops.pipelines.anomaly",
    "forecast": "mlops.pipelines.forecast",
    "forecast-tuning": "mlops.pipelines.forecast_tuning",
    "synthetic-validation": "mlops.pipelines.synthetic_validation",
    "classification": "mlops.pipelines.classification",
    "vibration": "mlops.pipelines.vibration",
    "bearing": "mlops.pipelines.bearing",
    "audio": "mlops.pipelines.audio",
    "rul": "mlops.pipelines.rul",
}


class NoData(LookupError):
    """There is nothing to train on; the message says what is missing."""


def _as_is(items: Sequence[Any], _what: str) -> Iterable[Any]:
    return items


@dataclass(frozen=True, slots=True)
class Order:
    """What a pipeline is asked to do.

    kinds: of sensors, where not all are to be learnt. data: the folder below which files are looked
    for; None for generated data. must_find: that they are not there is an error, and no reason to
    generate. generate: where no readings are stored, healthy ones are made. `say` gets one line for
    people at each step, `track` hands on the items of a long loop and shows how far it has come.
    """

    now: datetime
    seed: int = 0
    fast: bool = False
    promote: bool = True
    generate: bool = False
    kinds: tuple[str, ...] = ()
    data: Path | None = None
    must_find: bool = False
    say: Callable[[str], None] = field(default=lambda _line: None)
    track: Callable[[Sequence[Any], str], Iterable[Any]] = field(default=_as_is)


@dataclass(frozen=True, slots=True)
class Story:
    """What a card says besides figures: sentences of Markdown, for people."""

    purpose: str
    data: str
    split: str
    measured: str
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trained:
    """A registered version and how it did; role is champion, challenger or empty.

    headline: the metrics to show first, name -> words for it.
    """

    model: str
    version: int
    detector: str
    metrics: dict[str, float]
    role: str = ""
    experiment: str = ""
    dataset: str = ""
    story: Story | None = None
    headline: dict[str, str] = field(default_factory=dict)


class Pipeline(Protocol):
    def __call__(self, order: Order) -> list[Trained]: ...


def pipeline_named(name: str) -> Pipeline:
    """KeyError for a name that is not in PIPELINES."""
    found: Pipeline = import_module(PIPELINES[name]).run
    return found

"""What the pipelines have in common: log a run, register its model, approve it, give it a role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlops import artifacts, features, registry
from mlops.approval import approve
from mlops.detectors.classified import Classified
from mlops.detectors.fitted import Fitted
from mlops.pipelines import Order, Trained
from mlops.promotion import promote

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Result:
    """A fitted candidate and what is to be known of it."""

    detector: Fitted | Classified
    metrics: dict[str, float]
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class About:
    """Where a group of candidates belongs. trained_on is the fingerprint of the data."""

    experiment: str
    model: str
    task: str
    sensor_kind: str
    dataset: str
    trained_on: str

    def tags(self, detector: str) -> dict[str, str]:
        return {
            "task": self.task,
            "sensor_kind": self.sensor_kind,
            "dataset": self.dataset,
            "detector": detector,
            "features": features.features_hash(),
            "trained_on": self.trained_on,
        }


def record(result: Result, about: About, order: Order) -> Trained:
    """One run, one registered version, one approval."""
    name = result.detector.name
    tags = about.tags(name)
    artifact = artifacts.pack(result.detector, {**tags, "metrics": result.metrics})
    run = registry.Run(
        experiment=about.experiment,
        name=f"{about.model} {name}",
        params={"seed": order.seed, "detector": name, **result.params},
        metrics=result.metrics,
        tags=tags,
        plots={"quality.png": plot(f"{about.model}: {name}", result.metrics)},
    )
    version = registry.log_and_register(
        run,
        artifact=artifact,
        manifest=artifacts.manifest_bytes(artifact),
        model=about.model,
        tags=tags,
    )
    approve(
        name=about.model,
        version=version,
        artifact=artifact,
        task=about.task,
        sensor_kind=about.sensor_kind,
        detector=name,
        dataset=about.dataset,
        now=order.now,
    )
    return Trained(about.model, version, name, result.metrics)


def record_all(
    results: list[Result], about: About, order: Order, *, by: tuple[str, ...]
) -> list[Trained]:
    """Register every candidate, best first by these metrics; the first two get the roles."""
    ranked = sorted(results, key=lambda each: [-each.metrics[name] for name in by])
    trained = [record(result, about, order) for result in ranked]
    if not order.promote:
        return trained
    roles = ("champion", "challenger")
    reason = f"best {by[0]} of {len(ranked)} candidates: {ranked[0].metrics[by[0]]:.3f}"
    promote(about.model, trained[0].version, reason=reason, now=order.now)
    if len(trained) > 1:
        registry.set_alias(about.model, registry.CHALLENGER, trained[1].version)
    given = [*roles, *[""] * len(trained)]
    return [
        Trained(each.model, each.version, each.detector, each.metrics, role)
        for each, role in zip(trained, given, strict=False)
    ]


def plot(title: str, metrics: Mapping[str, float]) -> Figure:
    """The metrics that are shares, as bars."""
    from matplotlib.figure import Figure

    shares = {name: value for name, value in metrics.items() if 0 <= value <= 1}
    figure = Figure(figsize=(7, 0.3 * len(shares) + 1), layout="constrained")
    axes = figure.subplots()
    axes.barh(np.arange(len(shares)), list(shares.values()))
    axes.set_yticks(np.arange(len(shares)), list(shares))
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.set_title(title)
    return figure

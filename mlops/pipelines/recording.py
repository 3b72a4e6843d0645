"""What the pipelines have in common: log a run, register its model, approve it, give it a role."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mlops import artifacts, registry
from mlops.approval import approve
from mlops.artifacts import Learned
from mlops.models import ModelApproval, Promotion
from mlops.pipelines import Order, Story, Trained, cards, environment
from mlops.predictor import Predictor
from mlops.promotion import NotBetter, promote
from sensors.series import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYNTHETIC = "synthetic"
CARD, EXAMPLE = "MODEL_CARD.md", "input_example.json"
EXAMPLE_ROWS = 5


@dataclass(frozen=True, slots=True)
class Result:
    """A fitted candidate and what is to be known of it.

    example: some rows of input, (n, columns). own_name: the candidate is registered under this name
    as well, so that each of several that do one job can be had. story: where it differs from the
    group's.
    """

    detector: Learned
    metrics: dict[str, float]
    params: Mapping[str, object]
    plots: Mapping[str, Figure] = field(default_factory=dict)
    example: FloatArray | None = None
    own_name: str = ""
    story: Story | None = None


@dataclass(frozen=True, slots=True)
class About:
    """Where a group of candidates belongs. trained_on is the fingerprint of the data; headline: the
    metrics to show first, name -> words for it."""

    experiment: str
    model: str
    task: str
    sensor_kind: str
    dataset: str
    trained_on: str
    story: Story | None = None
    headline: Mapping[str, str] = field(default_factory=dict)

    def tags(self, detector: Learned) -> dict[str, str]:
        return {
            "task": self.task,
            "sensor_kind": self.sensor_kind,
            "dataset": self.dataset,
            "detector": detector.name,
            "features": artifacts.features_hash_of(detector),
            "trained_on": self.trained_on,
        }


def record(result: Result, about: About, order: Order) -> Trained:
    """One run, one registered version, one approval."""
    detector, story = result.detector, result.story or about.story
    facts = _facts(result, about, order)
    artifact = artifacts.pack(detector, {**facts.tags, "metrics": result.metrics})
    version = registry.log_and_register(
        _run(facts, result, about),
        artifact=artifact,
        manifest=artifacts.manifest_bytes(artifact),
        model=facts.model,
        tags=facts.tags,
        signature=registry.Signature(tuple(facts.columns), tuple(facts.outputs)),
        beside=_beside(facts, story, result.example),
    )
    _approve(facts.model, version, artifact, about, detector, order)
    return Trained(
        model=facts.model,
        version=version,
        detector=detector.name,
        metrics=result.metrics,
        experiment=about.experiment,
        dataset=about.dataset,
        story=story,
        headline=dict(about.headline),
    )


def _facts(result: Result, about: About, order: Order) -> cards.Facts:
    detector = result.detector
    made_by = {"code": environment.code_version(), "python": environment.python_version()}
    return cards.Facts(
        model=result.own_name or about.model,
        estimator=detector.name,
        tags=about.tags(detector),
        params={"seed": order.seed, "detector": detector.name, **result.params, **made_by},
        metrics=result.metrics,
        columns=detector.features_,
        outputs=_outputs(detector),
        requirements=environment.pip_requirements(),
        python=made_by["python"],
    )


def _run(facts: cards.Facts, result: Result, about: About) -> registry.Run:
    shares = {"quality.png": plot(f"{about.model}: {facts.estimator}", result.metrics)}
    return registry.Run(
        experiment=about.experiment,
        name=f"{facts.model} {facts.estimator}",
        params=facts.params,
        metrics=result.metrics,
        tags={**facts.tags, "mlflow.source.git.commit": str(facts.params["code"])},
        plots=shares | dict(result.plots),
    )


def record_all(
    results: list[Result], about: About, order: Order, *, by: tuple[str, ...]
) -> list[Trained]:
    """Register every candidate, best first by these metrics; the first two get the roles.

    Candidates with a name of their own are champions there, and the first two come under the name
    of the job as well.
    """
    ranked = sorted(results, key=lambda each: [-each.metrics[name] for name in by])
    trained = [record(result, about, order) for result in ranked]
    first_two = list(zip(ranked, trained, strict=True))[:2]
    reason = f"best {by[0]} of {len(ranked)} candidates: {ranked[0].metrics[by[0]]:.3f}"
    if not ranked[0].own_name:
        return _with_roles(trained, about, order, reason)
    if order.promote:
        why = "newest of its name"
        trained = [_promote(each, about, order, why) for each in trained]
    for_the_job = [_again(result, each, about, order) for result, each in first_two]
    return [*_with_roles(for_the_job, about, order, reason), *trained]


def _with_roles(trained: list[Trained], about: About, order: Order, reason: str) -> list[Trained]:
    if not order.promote:
        return trained
    best, *others = trained
    given = [_promote(best, about, order, reason)]
    if given[0].role == registry.CHAMPION and others:
        registry.set_alias(about.model, registry.CHALLENGER, others[0].version)
        given.append(replace(others[0], role=registry.CHALLENGER))
    return [*given, *trained[len(given) :]]


def _promote(trained: Trained, about: About, order: Order, reason: str) -> Trained:
    """Champion; or challenger, where it learnt from generated data and the champion did not, or
    where the gate refuses it."""
    if about.dataset == SYNTHETIC and (real := _real_champion(trained.model)):
        registry.set_alias(trained.model, registry.CHALLENGER, trained.version)
        order.say(f"{trained.model} v{trained.version} stays challenger: {real} knows real data")
        return replace(trained, role=registry.CHALLENGER)
    try:
        promote(trained.model, trained.version, reason=reason, now=order.now)
    except NotBetter as refused:
        registry.set_alias(trained.model, registry.CHALLENGER, trained.version)
        order.say(f"{trained.model} v{trained.version} stays challenger: {refused.verdict.reason}")
        return replace(trained, role=registry.CHALLENGER)
    return replace(trained, role=registry.CHAMPION)


def _real_champion(name: str) -> ModelApproval | None:
    newest = Promotion.objects.filter(name=name).first()
    if newest is None:
        return None
    known = ModelApproval.objects.filter(name=name, version=newest.version)
    return known.exclude(dataset=SYNTHETIC).first()


def _again(result: Result, trained: Trained, about: About, order: Order) -> Trained:
    """The same artifact under the name of the job."""
    artifact = registry.download(trained.model, trained.version)
    tags = about.tags(result.detector)
    version = registry.register_again(trained.model, trained.version, model=about.model, tags=tags)
    _approve(about.model, version, artifact, about, result.detector, order)
    return replace(trained, model=about.model, version=version, role="")


def _approve(
    name: str, version: int, artifact: bytes, about: About, detector: Learned, order: Order
) -> None:
    approve(
        name=name,
        version=version,
        artifact=artifact,
        task=about.task,
        sensor_kind=about.sensor_kind,
        detector=detector.name,
        dataset=about.dataset,
        now=order.now,
    )


def _beside(
    facts: cards.Facts, story: Story | None, example: FloatArray | None
) -> dict[str, bytes]:
    """What lies in the folder of the artifact, for people and for MLflow's pages."""
    files = {"requirements.txt": "\n".join([*facts.requirements, ""]).encode()}
    if story is not None:
        files[CARD] = cards.card(facts, story).encode()
    if example is not None:
        rows = {"columns": list(facts.columns), "data": example[:EXAMPLE_ROWS].tolist()}
        files[EXAMPLE] = json.dumps(rows).encode()
    return files


def _outputs(detector: Learned) -> tuple[str, ...]:
    return detector.outputs if isinstance(detector, Predictor) else ("score",)


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

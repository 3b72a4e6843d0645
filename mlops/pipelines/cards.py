"""The card of a model: what it is for, what it learnt from, how good it is and how that is known.

Generated when a model is registered, and kept beside its artifact; nothing in it is written by
hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlops.pipelines import Story

_SYNTHETIC = (
    "> **Learnt from generated data.** What it can do is known for generated data only "
    "(`dataset=synthetic`)."
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the run knows of a model."""

    model: str
    estimator: str
    tags: Mapping[str, str]
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    columns: Sequence[str]
    outputs: Sequence[str]
    requirements: Sequence[str]
    python: str


def card(facts: Facts, story: Story) -> str:
    """Markdown."""
    return "\n".join(_lines(facts, story)).rstrip() + "\n"


def _lines(facts: Facts, story: Story) -> Iterator[str]:
    yield f"# {facts.model}: {facts.estimator}\n"
    if facts.tags.get("dataset") == "synthetic":
        yield f"{_SYNTHETIC}\n"
    yield f"{story.purpose}\n"
    yield f"## Data\n\n{story.data}\n"
    yield f"Fingerprint (SHA-256): `{facts.tags.get('trained_on', '')}`\n"
    yield f"## Split\n\n{story.split}\n"
    yield f"## Figures\n\n{story.measured}\n"
    yield from metric_table(facts.metrics)
    yield "\n## Limits\n"
    yield from (f"- {limit}" for limit in story.limits or ("None are known beyond the above.",))
    yield "\n## Interface\n"
    yield f"In, {len(facts.columns)} columns: {_named(facts.columns)}.\n"
    yield f"Out: {_named(facts.outputs)}.\n"
    yield f"## Made with\n\nPython {facts.python}; {', '.join(facts.requirements)}.\n"
    yield from (f"- {key}: {value}" for key, value in {**facts.params, **facts.tags}.items())


def metric_table(metrics: Mapping[str, float]) -> Iterator[str]:
    """Each metric once, with its interval where `_low` and `_high` are known, and the baseline's.

    >>> known = {"f1": 0.9, "f1_low": 0.8, "f1_high": 1.0, "baseline_f1": 0.5}
    >>> list(metric_table(known))[2:]
    ['| f1 | 0.9 | 0.8 to 1 | 0.5 |']
    """
    yield "| metric | value | interval | baseline |"
    yield "|---|---|---|---|"
    for name, value in metrics.items():
        if name.startswith("baseline_") or name.endswith(("_low", "_high")):
            continue
        baseline = metrics.get(f"baseline_{name}")
        beside = "" if baseline is None else number(baseline)
        yield f"| {name} | {number(value)} | {interval(metrics, name)} | {beside} |"


def interval(metrics: Mapping[str, float], name: str) -> str:
    """`low to high` of a metric, empty where it has none."""
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def number(value: float) -> str:
    """Four digits that count.

    >>> number(0.89154), number(12345.6)
    ('0.8915', '12346')
    """
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

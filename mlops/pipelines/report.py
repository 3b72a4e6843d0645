"""The page of all models: what was measured, in one table an experiment. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlops.pipelines import Trained
from mlops.pipelines.cards import interval, number

HEAD = """\
# How good the models are

Written by `manage.py train all --data DIR --report docs/MODELS.md`; nothing in it is typed in by
hand. Brackets hold the central 90 % over folds, seeds or bootstrap draws, as said with each table.
`dataset` is `synthetic` where a model learnt from generated data: its figures then say nothing of
real machines.
"""


def page(trained: Sequence[Trained]) -> str:
    """Markdown."""
    experiments = dict.fromkeys(each.experiment for each in trained if each.experiment)
    grouped = ([e for e in trained if e.experiment == name] for name in experiments)
    sections = ["\n".join(_section(group)) for group in grouped]
    return "\n".join([HEAD, *sections]).rstrip() + "\n"


def _section(trained: Sequence[Trained]) -> Iterator[str]:
    yield f"## {trained[0].experiment}\n"
    stories = dict.fromkeys(each.story for each in trained if each.story)
    texts = [text for story in stories for text in (story.data, story.split, story.measured)]
    yield from (f"{text}\n" for text in dict.fromkeys(texts))
    for headline in dict.fromkeys(tuple(each.headline.items()) for each in trained):
        rows = [each for each in trained if tuple(each.headline.items()) == headline]
        yield from _table(rows, dict(headline))
    for limit in dict.fromkeys(limit for story in stories for limit in story.limits):
        yield f"- {limit}"
    yield ""


def _table(trained: Sequence[Trained], headline: dict[str, str]) -> Iterator[str]:
    yield " | ".join(["| model", "estimator", "dataset", *headline.values(), "role |"])
    yield "|---" * (len(headline) + 4) + "|"
    for each in trained:
        cells = [_cell(each, name) for name in headline]
        yield " | ".join(
            [f"| `{each.model}`", each.detector, each.dataset, *cells, f"{each.role} |"]
        )
    yield ""


def _cell(trained: Trained, name: str) -> str:
    value = trained.metrics.get(name)
    if value is None:
        return ""
    around = interval(trained.metrics, name)
    return f"{number(value)} ({around})" if around else number(value)

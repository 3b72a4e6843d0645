"""The tables the demo prints and the JSON object it ends with. Pure but for its inputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from anomalies.demo.evaluation import Evaluation, Score
from anomalies.demo.outcome import Outcome


def pooled(outcomes: Sequence[Outcome]) -> Evaluation:
    return Evaluation(
        faults=tuple(found for one in outcomes for found in one.evaluation.faults),
        alarms=tuple(pair for one in outcomes for pair in one.evaluation.alarms),
    )


def tables(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Lines for people: per sort of fault, per kind, per rung."""
    together = pooled(outcomes)
    kinds = {stream.sensor: stream.kind for stream in outcomes[0].fleet.streams}
    yield f"{'fault':<20}{'injected':>9}{'found':>7}{'recall':>8}  median delay"
    for sort, (injected, found, delay) in together.by_sort().items():
        late = "–" if delay is None else f"{delay:g} readings"
        yield f"{sort:<20}{injected:>9}{found:>7}{found / injected:>8.2f}  {late}"
    yield ""
    yield f"{'kind':<20}{'faults':>9}{'alarms':>7}{'recall':>8}{'precision':>11}"
    for kind, score in together.by_kind(kinds).items():
        yield _line(kind, score)
    yield _line("all", together.overall())
    yield ""
    yield f"{'given by':<20}{'alarms':>9}{'true':>7}"
    for rung, (alarms, true) in together.by_rung().items():
        yield f"{rung:<20}{alarms:>9}{true:>7}"
    yield f"{'judged credible':<20}{len(_credible(together)):>9}{sum(_credible(together)):>7}"


def _line(name: str, score: Score) -> str:
    return (
        f"{name:<20}{score.injected:>9}{score.alarms:>7}"
        f"{score.recall:>8.2f}{score.precision:>11.2f}"
    )


def _credible(evaluation: Evaluation) -> list[bool]:
    """Of the alarms that were judged credible, which are true."""
    return [true for alarm, true in evaluation.alarms if alarm.credible]


def as_json(outcomes: Sequence[Outcome], seconds: float, steps: Mapping[str, float]) -> str:
    """One line: the last seed's counts, the quality over all seeds. NaN has no JSON: null."""
    last, together = outcomes[-1], pooled(outcomes)
    score = together.overall()
    return json.dumps(
        {
            "database": last.database,
            "timescaledb": last.timescaledb,
            "sensors": last.sensors,
            "readings": last.readings,
            "quarantined": last.quarantined,
            "models_registered": last.models_registered,
            "champions": last.champions,
            "anomalies": last.anomalies,
            "validated": last.validated,
            "credible": last.credible,
            "faults_injected": score.injected,
            "faults_found": score.found,
            "false_alarms": score.false_alarms,
            "precision": _ratio(score.precision),
            "recall": _ratio(score.recall),
            "recall_by_sort": {
                sort: _ratio(found / injected)
                for sort, (injected, found, _) in together.by_sort().items()
            },
            "seeds": {str(one.fleet.seed): _of_seed(one) for one in outcomes},
            "steps": dict(steps),
            "seconds": round(seconds, 1),
            "failures": [failure for one in outcomes for failure in one.failures],
        }
    )


def _of_seed(outcome: Outcome) -> dict[str, float | None]:
    score = outcome.evaluation.overall()
    return {"precision": _ratio(score.precision), "recall": _ratio(score.recall)}


def _ratio(value: float) -> float | None:
    return None if value != value else round(value, 4)

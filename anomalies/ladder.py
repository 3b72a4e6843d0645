"""Which rung a sensor stands on and how far the next one is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from anomalies.detection_policy import DetectionPolicy
from mlops import features


@dataclass(frozen=True, slots=True)
class Step:
    """rung: the highest that the sensor's history allows; next_rung: the one above, or None at the
    top. readings_missing: readings until the next one; None when it is not a matter of readings."""

    rung: str
    next_rung: str | None
    readings_missing: int | None


def step(readings: int, *, champion: bool, policy: DetectionPolicy, fleet: bool = False) -> Step:
    """Where `readings` stored readings put a sensor. champion: its kind has one; fleet: so have the
    sensors like it, which goes before statistics of its own that are few.

    >>> step(0, champion=False, policy=DetectionPolicy(), fleet=True)
    Step(rung='limits', next_rung='fleet', readings_missing=1)
    >>> step(0, champion=False, policy=DetectionPolicy())
    Step(rung='limits', next_rung='statistical', readings_missing=30)
    >>> step(5000, champion=False, policy=DetectionPolicy())
    Step(rung='local', next_rung='champion', readings_missing=None)
    """
    rungs = [("limits", 0), ("fleet", 1) if fleet else ("statistical", policy.statistical_rows)]
    rungs.append(("champion", features.MIN_ROWS) if champion else ("local", policy.local_rows))
    reached = [name for name, needed in rungs if readings >= needed]
    above = rungs[len(reached) :]
    if above:
        name, needed = above[0]
        return Step(reached[-1], name, needed - readings)
    return Step(reached[-1], None if champion else "champion", None)

"""How bad an episode is, and in which order its sensors moved. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from anomalies.scored import SEVERITY_STEPS

# A machine of criticality 3 weighs what the score says; each level moves the risk by a tenth.
CRITICALITY_STEP = 0.1
USUAL_CRITICALITY = 3
# Each doubling of the sensors that moved adds a twentieth: eight of them count as 1.15.
BREADTH_STEP = 0.05


def risk(score: float, criticality: int, sensors: int) -> float:
    """score × criticality × breadth, from 0 on; `severity` cuts it into levels.

    score: of the strongest anomaly, 0 to 1. criticality: of the machine, 1 to 5; 3 where there is
    none. sensors: how many moved, at least 1.

    >>> risk(0.8, 3, 1), round(risk(0.8, 5, 1), 3), round(risk(0.8, 3, 4), 3)
    (0.8, 0.96, 0.88)
    """
    machine = 1.0 + CRITICALITY_STEP * (criticality - USUAL_CRITICALITY)
    breadth = 1.0 + BREADTH_STEP * math.log2(max(sensors, 1))
    return score * machine * breadth


def severity(score: float, criticality: int, sensors: int) -> int:
    """1 to 5: the steps that the severity of an anomaly has, taken by the episode's risk.

    >>> severity(0.75, 3, 1), severity(0.75, 5, 1), severity(0.75, 1, 1), severity(0.75, 3, 8)
    (3, 5, 2, 4)
    """
    # A risk that lies on a step reaches it, whatever its last bit.
    size = round(risk(score, criticality, sensors), 9)
    return 1 + sum(size >= step for step in SEVERITY_STEPS)


@dataclass(frozen=True, slots=True)
class Mover:
    """A sensor, its first anomaly of an episode, and how long after the first mover that was."""

    sensor: int
    at: datetime
    after: timedelta


def movers(moved: Iterable[tuple[int, datetime]]) -> list[Mover]:
    """Who moved when, first mover first.

    moved: (sensor, start of an anomaly) in any order, any number a sensor. Of sensors that moved at
    the same instant the lower number is named first.

    >>> noon = datetime(2026, 3, 1, 12)
    >>> [(m.sensor, m.after.seconds) for m in movers([(7, noon + timedelta(0, 90)), (9, noon)])]
    [(9, 0), (7, 90)]
    """
    firsts: dict[int, datetime] = {}
    for sensor, at in moved:
        firsts[sensor] = min(at, firsts.get(sensor, at))
    ordered = sorted(firsts.items(), key=lambda one: (one[1], one[0]))
    return [Mover(sensor, at, at - ordered[0][1]) for sensor, at in ordered]

"""What is said of a machine's anomaly: data, and the plain sentence made from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from anomalies.explanation import DECIMALS, amount, span_of_time

FEW = 0.05
NAMED = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """A sensor at the peak. share: of the score; observed: its recent mean, and between what it was
    expected given the others, in its unit; moved_at: when it first had half of its part."""

    sensor: int
    name: str
    unit: str
    share: float
    observed: float
    low: float
    high: float
    moved_at: datetime

    @property
    def deviation(self) -> float:
        """How far from what was expected: ±1 is the edge of it, 0 its middle."""
        half = (self.high - self.low) / 2
        return (self.observed - self.low - half) / half if half > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """seen: in the order in which they moved; times in the zone of the machine's site."""

    machine: str
    start: datetime
    end: datetime
    seen: tuple[Seen, ...]

    @property
    def moved(self) -> list[Seen]:
        """Those with a part worth naming, in that order."""
        return [one for one in self.seen if one.share > FEW]


def explanation(facts: Facts, step_s: int, window_rows: int) -> dict[str, Any]:
    """As it is stored: the shares sum to one."""
    by_share = sorted(facts.seen, key=lambda one: (-one.share, one.sensor))
    return {
        "contributions": [
            {
                "feature": one.name,
                "share": round(one.share, DECIMALS),
                "value": round(one.deviation, 6),
            }
            for one in by_share
        ],
        "rung_reason": "",
        "machine": {
            "name": facts.machine,
            "step_s": step_s,
            "mean_over_s": step_s * window_rows,
            "moved_first": facts.moved[0].name if facts.moved else by_share[0].name,
            "sensors": [_stored(one) for one in by_share],
        },
        "sentence": sentence(facts),
    }


def sentence(facts: Facts) -> str:
    """What was seen of the sensor that shows most, what the others led to expect, since when, who
    has a part in it and who moved first."""
    most = max(facts.seen, key=lambda one: one.share)
    said = (
        f"The sensors of {facts.machine} do not move together as usual, "
        f"{span_of_time(facts.start, facts.end)}: {most.name} was "
        f"{amount(most.observed, most.unit)} on average where {most.low:.4g} to "
        f"{amount(most.high, most.unit)} was to be expected from the others"
    )
    moved = sorted(facts.moved, key=lambda one: -one.share)[:NAMED]
    if len(moved) < 2:
        return f"{said}."
    parts = ", ".join(f"{one.name} {one.share:.0%}" for one in moved)
    return f"{said}; it is owed to {parts}, and {facts.moved[0].name} moved first."


def _stored(one: Seen) -> dict[str, Any]:
    return {
        "sensor": one.name,
        "unit": one.unit,
        "share": round(one.share, DECIMALS),
        "observed": one.observed,
        "expected_low": one.low,
        "expected_high": one.high,
        "moved_at": one.moved_at.isoformat(),
    }

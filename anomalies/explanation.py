"""Why a reading was flagged, as data, and the plain sentence made from that data. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from mlops import features
from sensors.series import FloatArray

FEW = 0.05
DECIMALS = 12  # of a share: they are to add up to 1 within 1e-9
WORDS = {
    "z": "the value stands far from its usual level",
    "level": "its level has shifted",
    "novelty": "no earlier value comes near it",
    "spike": "it jumped from one reading to the next",
    "spread": "it scatters more than usual",
    "slope": "it is drifting",
    "season": "it differs from the same time on the days before",
    "season_level": "it has differed for a while from the same time on the days before",
    "flat": "it repeats the same value",
    "gap": "readings were missing",
    "rhythm": "its readings come out of rhythm",
    "core.value": "it never came near such a value before",
    "core.level": "its level was never near this one before",
    "core.daytime": "it never came near such a value at this time of day",
    "core.shape": "its course was never like this before",
    "core.step": "it never made such a step from there",
    "limit.alarm_low": "it is below the alarm limit set for this sensor",
    "limit.alarm_high": "it is above the alarm limit set for this sensor",
    "limit.physical_min": "it is below anything this sensor can physically measure",
    "limit.physical_max": "it is above anything this sensor can physically measure",
    "fleet.place": "it lies far from where sensors like it lie",
    "fleet.spike": "it jumped farther than sensors like it do",
    "fleet.shift": "its level moved faster than that of sensors like it",
    "fleet.level": "it strayed farther than sensors like it do in their first readings",
    "fleet.spread": "it scatters more than sensors like it",
    "fleet.flat": "it repeats the same value for longer than sensors like it",
}

Part = dict[str, float | str]
"""feature, its share of the score, and its value; see `contributions`."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sentence is made from. Values in the sensor's unit, times in its site's zone."""

    name: str
    unit: str
    observed: float
    expected: tuple[float, float] | None
    start: datetime
    end: datetime


def contributions(
    shares: FloatArray, row: FloatArray, names: Sequence[str] = features.FEATURES
) -> list[Part]:
    """The parts of a score by feature, largest first; shares sum to one.

    shares, row: shape (d,), in the order of names. The core's are its views, and their values are
    rarities: 3 is once in a thousand of the sensor's own past. What no features made has parts of
    its own: the limit that was crossed, by how much in the unit; a silence, by its patience; a
    forecast, how far it lies past the limit.
    """
    order = np.argsort(-shares, kind="stable")
    return [part(names[i], shares[i], row[i]) for i in order]


def part(feature: str, share: float, value: float) -> Part:
    """One part, as it is stored.

    >>> part("silence", 1.0, 2.5)
    {'feature': 'silence', 'share': 1.0, 'value': 2.5}
    """
    return {
        "feature": feature,
        "share": round(float(share), DECIMALS),
        "value": round(float(value), 6),
    }


def sentence(facts: Facts, parts: list[Part]) -> str:
    """One plain sentence: what was seen, what was expected, since when, and what moved."""
    seen = f"{facts.name} read {amount(facts.observed, facts.unit)}"
    if facts.expected is not None:
        low, high = facts.expected
        seen += f" where {low:.4g} to {amount(high, facts.unit)} was expected"
    return f"{seen}, {span_of_time(facts.start, facts.end)}: {_why(parts)}."


def _why(parts: list[Part]) -> str:
    moved = [part for part in parts if float(part["share"]) > FEW][:2]
    return " and ".join(WORDS.get(str(p["feature"]), f"{p['feature']} moved") for p in moved) or (
        "several features moved a little together"
    )


def amount(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".strip()


def span_of_time(start: datetime, end: datetime) -> str:
    """The range in the zone it is given in, as short as it can be said.

    >>> from datetime import UTC
    >>> span_of_time(datetime(2026, 3, 1, 8, tzinfo=UTC), datetime(2026, 3, 1, 9, tzinfo=UTC))
    '1 Mar 2026 08:00 to 09:00 UTC'
    """
    zone = f"{end:%Z}"
    begun = f"{start.day} {start:%b %Y %H:%M}"
    if end - start < timedelta(minutes=1):
        return f"{begun} {zone}"
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end.day} {end:%b %H:%M}"
    return f"{begun} to {until} {zone}"

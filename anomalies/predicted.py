"""What a predicted crossing of a limit says of itself. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from anomalies.explanation import Part, part
from sensors.presentation import local, quantity

DETECTOR = "forecast"
# Nothing is wrong yet.
MOST_SEVERE = 4


def contributions(estimate: dict[str, Any]) -> list[Part]:
    """What the likelihood is owed to, largest first: where the sensor is, and where it goes."""
    parts = sorted(estimate["parts"], key=lambda one: -one["share"])
    return [part(f"forecast.{one['name']}", one["share"], one["past_limit"]) for one in parts]


def sentence(name: str, unit: str, estimate: dict[str, Any], zone: ZoneInfo) -> str:
    """One plain sentence: which limit is met when, and between when and when."""
    limit = estimate["limit"].replace("_", " ")
    latest = _when(estimate["latest"], zone) or "beyond what is forecast"
    return (
        f"{name} is heading for its {limit} limit of {quantity(estimate['value'], unit)}: it is "
        f"expected there on {_when(estimate['at'], zone)} (between "
        f"{_when(estimate['earliest'], zone)} and {latest})."
    )


def _when(time: str | None, zone: ZoneInfo) -> str:
    return local(datetime.fromisoformat(time), zone) if time else ""

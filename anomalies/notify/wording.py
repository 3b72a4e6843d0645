"""What a message says: what moved, since when, how sure we are, and where to look. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sensors.presentation import local

LEVELS = {1: "slight", 2: "minor", 3: "moderate", 4: "serious", 5: "critical"}
NEWS = {
    "opened": "new",
    "reopened": "back again",
    "severity": "worse",
    "resolved": "resolved",
    "woke": "snooze over",
}


@dataclass(frozen=True, slots=True)
class Told:
    """One event of an episode, with the episode as it is now.

    event: its kind; turn: which repetition. sentence: what moved, as the first mover's anomaly says
    it. confidence: 0 to 1. url: of the episode's page, empty where nobody said where that is.
    """

    episode: int
    event: str
    turn: int
    subject: str
    site: str
    zone: ZoneInfo
    severity: int
    state: str
    started_at: datetime
    confidence: float
    sensors: Sequence[str]
    sentence: str
    url: str


def subject(told: Sequence[Told]) -> str:
    """One line for all that is said."""
    worst = max(told, key=lambda one: one.severity)
    head = f"{worst.subject}: {LEVELS[worst.severity]} ({_news(worst)})"
    more = f" and {len(told) - 1} more" if len(told) > 1 else ""
    return f"[{worst.site}] {head}{more}".replace("\n", " ").replace("\r", " ")


def body(told: Sequence[Told]) -> str:
    """All of it, worst first."""
    ordered = sorted(told, key=lambda one: (-one.severity, one.started_at, one.episode))
    return "\n\n".join(map(_paragraph, ordered))


def payload(told: Sequence[Told], at: datetime) -> dict[str, Any]:
    """The same as data, for webhooks."""
    kinds = {one.event for one in told}
    return {
        "type": f"episode.{kinds.pop()}" if len(kinds) == 1 else "episode.several",
        "timestamp": at.isoformat(),
        "data": {"episodes": [_data(one) for one in told]},
    }


def _news(told: Told) -> str:
    again = f", said again ({told.turn})" if told.turn else ""
    return f"{NEWS.get(told.event, told.event)}{again}"


def _paragraph(told: Told) -> str:
    first, *others = told.sensors
    moved = f"{first} moved first" + (f", then {', '.join(others)}" if others else "")
    lines = [
        f"{told.subject}, severity {told.severity} of 5 ({LEVELS[told.severity]}), {_news(told)}",
        told.sentence,
        f"What moved: {moved}." if others else f"What moved: {first}.",
        f"Since: {local(told.started_at, told.zone)}.",
        f"How sure: {told.confidence:.0%}.",
        told.url,
    ]
    return "\n".join(line for line in lines if line)


def _data(told: Told) -> dict[str, Any]:
    return {
        "id": told.episode,
        "event": told.event,
        "turn": told.turn,
        "subject": told.subject,
        "site": told.site,
        "severity": told.severity,
        "state": told.state,
        "started_at": told.started_at.isoformat(),
        "started_at_local": local(told.started_at, told.zone),
        "confidence": told.confidence,
        "sensors": list(told.sensors),
        "sentence": told.sentence,
        "url": told.url,
    }

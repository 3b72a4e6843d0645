"""What was found and told, as values that can be compared. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class AnomalySeen:
    """An anomaly that stands. sensor: SITE/ID. Times are event times in UTC."""

    sensor: str
    start: datetime
    peak: datetime
    end: datetime
    score: float
    severity: int
    nature: str
    detector: str
    rung: str
    decision: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class EpisodeSeen:
    """An episode. subject: SITE/MACHINE, or SITE/SENSOR; opened_at, resolved_at: by the clock."""

    subject: str
    queue: str
    started_at: datetime
    last_at: datetime
    severity: int
    first_sensor: str
    sensors: int
    anomalies: int
    state: str
    resolution: str
    opened_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class NotificationSeen:
    """What a route said, or would have, of an episode. said_at: None while it waits; dropped: why
    it was not said."""

    route: str
    subject: str
    queue: str
    episode_started_at: datetime
    event: str
    turn: int
    noted_at: datetime
    said_at: datetime | None
    dropped: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Each by its time."""

    anomalies: tuple[AnomalySeen, ...]
    episodes: tuple[EpisodeSeen, ...]
    notifications: tuple[NotificationSeen, ...]


Record = AnomalySeen | EpisodeSeen | NotificationSeen


def as_json(record: Record) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(record).items()}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value

"""What turns scores into anomalies. Pure, and light: the web processes read it too."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DetectionPolicy:
    """Stored on every receipt.

    alarm_level: score from which a reading is anomalous. merge_gap_rows: anomalous readings at most
    this many rows apart belong to one range. statistical_rows, local_rows: own readings a sensor
    needs before the rung may judge it. local_train_rows: newest readings the local model is fitted
    on. local_block_hours: how long one local model serves; blocks start at multiples of it in UTC,
    so which model judges a reading follows from its time alone. core_rarity: -log10 of the tail
    probability among the sensor's own past from which the core calls a reading anomalous, at one
    reading in ten minutes. false_alarms: that a sensor can bear in 30 days; see alarm_rate.
    """

    alarm_level: float = 0.5
    merge_gap_rows: int = 6
    statistical_rows: int = 30
    local_rows: int = 200
    local_train_rows: int = 400
    local_block_hours: int = 6
    core_rarity: float = 3.0
    false_alarms: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

"""What turns scores into anomalies. Pure, and light: the web processes read it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeGuard

from sensors.kinds import KINDS, OTHER

FEWEST_FALSE_ALARMS, MOST_FALSE_ALARMS = 0.01, 100.0


class DetectionPolicyError(ValueError):
    """A policy that names what does not exist or holds a number out of range."""


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


def parse(said: object) -> DetectionPolicy:
    """DETECTION_POLICY as a policy. Raises DetectionPolicyError, which names what is wrong.

    >>> parse({"false_alarms": 2}).false_alarms
    2
    """
    known = {field.name for field in fields(DetectionPolicy)}
    if not isinstance(said, Mapping):
        raise DetectionPolicyError("it is no object.")
    if unknown := sorted(set(said) - known):
        raise DetectionPolicyError(f"there is no {', '.join(map(str, unknown))}.")
    for name, value in said.items():
        if not _is_number(value) or value <= 0:
            raise DetectionPolicyError(f"{name} is {value!r} and must be a number above 0.")
    policy = DetectionPolicy(**said)
    if policy.alarm_level >= 1:
        raise DetectionPolicyError("alarm_level must be below 1.")
    _require_bearable("false_alarms", policy.false_alarms)
    return policy


def parse_by_kind(said: object) -> dict[str, float]:
    """FALSE_ALARMS_BY_KIND: kind to false alarms in 30 days. Raises DetectionPolicyError.

    >>> parse_by_kind({"vibration": 0.5})
    {'vibration': 0.5}
    """
    if not isinstance(said, Mapping):
        raise DetectionPolicyError("it is no object.")
    if unknown := sorted(map(str, set(said) - {*KINDS, OTHER.name})):
        raise DetectionPolicyError(f"there is no kind {', '.join(unknown)}.")
    for kind, value in said.items():
        _require_bearable(kind, value)
    return {str(kind): float(value) for kind, value in said.items()}


def _require_bearable(name: str, value: object) -> None:
    low, high = FEWEST_FALSE_ALARMS, MOST_FALSE_ALARMS
    if not _is_number(value) or not low <= value <= high:
        raise DetectionPolicyError(f"{name} is {value!r} and must be from {low} to {high:g}.")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)

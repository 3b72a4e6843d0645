"""What the validation agent judges, and the words it answers in. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from anomalies.excursion import Excursion


class JudgementError(ValueError):
    """What was given cannot be judged: the message says why, for the people who read it."""


class EvidenceError(JudgementError):
    """A stored anomaly that holds no usable numbers."""


class Decision(StrEnum):
    """The same five as `anomalies.models.Decision`, for code that knows no Django."""

    CREDIBLE = "credible_anomaly"
    FALSE_POSITIVE = "false_positive_suspected"
    INVESTIGATE = "further_investigation_needed"
    INSUFFICIENT = "insufficient_data"
    ERROR = "validation_error"

    @property
    def status(self) -> Decision:
        """What is published: three of the five; the other two ask for a closer look."""
        return self if self in PUBLISHED else Decision.INVESTIGATE


PUBLISHED = frozenset({Decision.CREDIBLE, Decision.FALSE_POSITIVE, Decision.INVESTIGATE})


@dataclass(frozen=True, slots=True)
class Term:
    """One contribution to the confidence.

    source: detector, rules, history, profile, clamp or error; value: added to the confidence.
    """

    source: str
    name: str
    value: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """An anomaly as detection stored it.

    score and quality lie in 0..1; value and the expected band are in the sensor's unit;
    quality is that of the reading at the peak; hour: of the day, of its start, in the site's time
    zone, 0..24; shares: feature to its share of the score; asset_state: of the machine at the peak,
    empty where the sensor is of none; excursion: None where none is known. Raises EvidenceError
    when score or value is no finite number.
    """

    kind: str
    nature: str
    rung: str
    detector: str
    score: float
    severity: int
    value: float
    readings: int
    duration_s: float
    quality: float | None = None
    expected_low: float | None = None
    expected_high: float | None = None
    hour: float | None = None
    asset_state: str = ""
    shares: tuple[tuple[str, float], ...] = ()
    excursion: Excursion | None = None

    def __post_init__(self) -> None:
        for name, number in (("score", self.score), ("value", self.value)):
            if not isfinite(number):
                raise EvidenceError(f"The anomaly's {name} is {number}, which is no finite number.")

    @property
    def is_limit_breach(self) -> bool:
        return self.rung == "limits"

    @property
    def is_instrument_fault(self) -> bool:
        return self.nature == "instrument"

    @property
    def band_excess(self) -> float | None:
        """How far the value lies outside the expected band, in the unit; 0 inside, None unknown."""
        if self.expected_low is None or self.expected_high is None:
            return None
        return max(self.expected_low - self.value, self.value - self.expected_high, 0.0)

    @property
    def is_about_the_value(self) -> bool:
        """Whether the value itself is what is odd.

        Not so for a sensor fault (a stuck value equals those before it) nor inside the expected
        band (there the shape is odd: a burst, a growing swing). Then values like it in the past
        are no evidence against the anomaly.
        """
        return not self.is_instrument_fault and self.band_excess != 0.0

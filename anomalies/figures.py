"""Figures of quality and their words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NAMES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "delay_s": "delay, median",
    "lead_time_s": "lead time, median",
    "false_alarms_per_sensor_month": "false alarms a sensor-month",
    "auc_pr": "AUC-PR",
    "vus_pr": "VUS-PR",
}
UNITS_S = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Figure:
    """low, high: of the interval; NaN where there is none. value is NaN where nothing says it."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        known = {"value": self.value, "low": self.low, "high": self.high}
        return {name: each if each == each else None for name, each in known.items()}


def figures_as_text(figures: Mapping[str, Figure]) -> Iterator[tuple[str, str, str]]:
    """Name, value and interval of each; names that end in _s are in seconds."""
    for name, figure in figures.items():
        shown = span_as_text if name.endswith("_s") else number_as_text
        value, low, high = (shown(each) for each in (figure.value, figure.low, figure.high))
        is_known = figure.low == figure.low
        yield NAMES[name], value, f"{low} to {high}" if is_known else "too few blocks"


def number_as_text(value: float) -> str:
    """
    >>> number_as_text(0.25), number_as_text(5_061.6), number_as_text(float("nan"))
    ('0.250', '5,062', '-')
    """
    return "-" if value != value else f"{value:,.0f}" if value >= 100 else f"{value:.3f}"


def span_as_text(seconds: float) -> str:
    """In the largest unit that leaves a number of at least 2.

    >>> span_as_text(7_200), span_as_text(-90.0)
    ('2 h', '-90 s')
    """
    if seconds != seconds:
        return "-"
    fitting = [unit for unit, size in UNITS_S.items() if abs(seconds) >= 2 * size]
    unit = fitting[-1] if fitting else "s"
    return f"{seconds / UNITS_S[unit]:.3g} {unit}"

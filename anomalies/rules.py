"""Rules that adjust a confidence or force a decision. Pure: no database, no Django.

A rule is parsed when it is saved, so a bad one is an error in front of the person who wrote it.
A condition on something unknown, such as a difference to a history that is empty, does not hold.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from anomalies.evidence import PUBLISHED, Decision, Evidence, JudgementError, Term
from anomalies.history import History

SOURCE = "rules"
Fact = float | str | None

# Field -> what it is, as shown to whoever writes a rule.
NUMBERS = {
    "score": "0..1, higher is rarer, 0.5 is the alarm level",
    "confidence": "what the detector's score alone is believed, 0..1",
    "severity": "1..5",
    "value": "at the peak, in the sensor's unit",
    "quality": "of the reading at the peak, 0..1",
    "value_delta": "value minus the mean of the history, in the sensor's unit",
    "value_delta_abs": "the same without its sign",
    "value_delta_pct": "value_delta_abs in per cent of the mean; unknown at a mean of 0",
    "value_slope": "of the history, in the sensor's unit an hour; unknown below 2 readings",
    "band_excess": "how far the value lies outside the expected band, in the unit; 0 inside",
    "hour": "time of day at its start in the site's time zone, 0 to 24; 6.5 is 06:30",
    "duration_s": "seconds from start to end",
    "readings": "anomalous range, in readings",
    "history_readings": "usable readings before it",
    "history_quality": "their mean quality, 0..1",
}
TEXTS = {
    "kind": "of the sensor, e.g. vibration",
    "nature": "machine or instrument",
    "rung": "limits, statistical, local or champion",
    "detector": "name of the detector",
    "asset_state": "of the machine at the peak: running, starting or off; empty without a machine",
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "in": lambda fact, wanted: fact in wanted,
    "not in": lambda fact, wanted: fact not in wanted,
}
TEXT_OPS = frozenset({"==", "!=", "in", "not in"})
LIST_OPS = frozenset({"in", "not in"})


class RuleError(JudgementError):
    """A rule that cannot be applied; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Condition:
    field: str
    op: str
    value: float | str | tuple[float | str, ...]

    def holds(self, facts: Mapping[str, Fact]) -> bool:
        fact = facts[self.field]
        return fact is not None and COMPARISONS[self.op](fact, self.value)

    def __str__(self) -> str:
        wanted = ", ".join(map(str, self.value)) if isinstance(self.value, tuple) else self.value
        return f"{self.field} {self.op} {wanted}"


@dataclass(frozen=True, slots=True)
class Rule:
    """All conditions must hold; without any it always holds."""

    name: str
    conditions: tuple[Condition, ...]
    adjustment: float = 0.0
    forced_decision: Decision | None = None

    def holds(self, facts: Mapping[str, Fact]) -> bool:
        return all(condition.holds(facts) for condition in self.conditions)

    @property
    def reason(self) -> str:
        because = " and ".join(map(str, self.conditions)) or "always"
        forced = f"; forces {self.forced_decision}" if self.forced_decision else ""
        return because + forced

    @property
    def term(self) -> Term:
        return Term(SOURCE, self.name, self.adjustment, self.reason)


def facts_of(evidence: Evidence, history: History, *, confidence: float) -> dict[str, Fact]:
    """Everything a condition can ask for. confidence: in the detector's score alone, 0..1."""
    mean = history.mean
    delta = None if mean is None else evidence.value - mean
    return {
        **{name: getattr(evidence, name) for name in (*TEXTS, "score", "severity", "value")},
        **{name: getattr(evidence, name) for name in ("quality", "hour", "duration_s", "readings")},
        "confidence": confidence,
        "value_slope": history.slope,
        "band_excess": evidence.band_excess,
        "value_delta": delta,
        "value_delta_abs": None if delta is None else abs(delta),
        "value_delta_pct": abs(delta / mean) * 100 if delta is not None and mean else None,
        "history_readings": len(history),
        "history_quality": history.mean_quality,
    }


def parse(
    *, name: str, conditions: object, adjustment: float = 0.0, forced_decision: str = ""
) -> Rule:
    """A rule from what a person or a row says. Raises RuleError.

    >>> parse(name="far", conditions=[{"field": "value_delta_pct", "op": ">", "value": 50}]).reason
    'value_delta_pct > 50'
    """
    if not isinstance(conditions, list):
        raise RuleError(f"{name}: conditions are a list, not {type(conditions).__name__}.")
    parsed = tuple(_condition(f"{name}, condition {i}", c) for i, c in enumerate(conditions, 1))
    if not _is_number(adjustment) or not -1 <= adjustment <= 1:
        raise RuleError(f"{name}: the adjustment is {adjustment!r}, not a number from -1 to 1.")
    if forced_decision and forced_decision not in PUBLISHED:
        known = ", ".join(sorted(PUBLISHED))
        raise RuleError(f"{name}: a rule cannot force {forced_decision!r}; it can force {known}.")
    return Rule(name, parsed, adjustment, Decision(forced_decision) if forced_decision else None)


def merge(defaults: Iterable[Rule], own: Iterable[tuple[str, Rule | None]]) -> tuple[Rule, ...]:
    """The defaults, then one's own rules in their order.

    A rule of one's own replaces any earlier one of its name; None switches that one off.
    """
    rules: dict[str, Rule | None] = {rule.name: rule for rule in defaults}
    for name, rule in own:
        rules.pop(name, None)
        rules[name] = rule
    return tuple(rule for rule in rules.values() if rule is not None)


def _condition(where: str, given: object) -> Condition:
    if not isinstance(given, dict) or set(given) != {"field", "op", "value"}:
        raise RuleError(f"{where}: needs exactly field, op and value.")
    field, op, value = given["field"], given["op"], given["value"]
    if not isinstance(field, str) or field not in {*NUMBERS, *TEXTS}:
        raise RuleError(
            f"{where}: unknown field {field!r}; known: {', '.join((*NUMBERS, *TEXTS))}."
        )
    ops = TEXT_OPS if field in TEXTS else COMPARISONS.keys()
    if not isinstance(op, str) or op not in ops:
        raise RuleError(f"{where}: {field} knows {', '.join(sorted(ops))}, not {op!r}.")
    if op in LIST_OPS:
        if not isinstance(value, list) or not value:
            raise RuleError(f"{where}: {op!r} needs a list of values.")
        return Condition(field, op, tuple(_operand(where, field, item) for item in value))
    return Condition(field, op, _operand(where, field, value))


def _operand(where: str, field: str, value: object) -> float | str:
    if field in TEXTS and isinstance(value, str):
        return value
    if field in NUMBERS and _is_number(value):
        return value  # type: ignore[return-value]  # _is_number says so
    wanted = "a text" if field in TEXTS else "a finite number"
    raise RuleError(f"{where}: {field} is compared with {wanted}, not {value!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _default(name: str, adjustment: float, *conditions: tuple[str, str, float | str]) -> Rule:
    return Rule(name, tuple(Condition(*condition) for condition in conditions), adjustment)


# In force at every site. A row of the same name replaces one, a disabled row switches it off.
DEFAULTS = (
    # Chance alone crosses the alarm level now and then, by a little and for one reading.
    _default("single marginal reading", -0.1, ("readings", "==", 1), ("score", "<", 0.6)),
    # Hardly rare, and the value is one that was to be expected.
    _default("marginal inside the expected band", -0.15,
             ("score", "<", 0.55), ("band_excess", "==", 0), ("nature", "==", "machine")),
    # Chance does not last.
    _default("lasting", 0.1, ("readings", ">=", 5)),
    # What a poor reading seems to say about the machine may be the instrument's doing.
    _default("poor reading", -0.2, ("quality", "<", 0.6), ("nature", "==", "machine")),
)  # fmt: skip

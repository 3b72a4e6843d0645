"""The numbers that validation goes by, and who they apply to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import Any

from anomalies.evidence import JudgementError
from sensors.kinds import KINDS, OTHER


class PolicyError(JudgementError):
    """A policy that names what does not exist or holds a number out of range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationPolicy:
    """Thresholds and weights of the validation agent. Adjustments are added to the confidence.

    On a boundary the reading that keeps people's attention wins: a confidence of exactly
    `credible_threshold` is credible, one of exactly `false_positive_threshold` is still
    investigated. A share of exactly `recurring_anomaly_threshold_pct` recurs. Raises PolicyError.
    """

    credible_threshold: float = 0.7
    false_positive_threshold: float = 0.4
    recent_stability_window: int = 5  # readings
    recurring_anomaly_threshold_pct: float = 0.25  # share of the history, 0..1
    historical_check_limit: int = 20  # readings
    min_history: int = 5  # readings; with fewer the data are insufficient

    # The doubt in a detection halves with every further alarm level of rarity.
    doubt_half_life: float = 1.0
    # A step of so many times the recent scatter is a jump; of at most so many, it is volatility.
    jump_sigmas: float = 4.0
    volatile_sigmas: float = 2.0
    # Two values look alike when they are this share of the history's deviation apart.
    recurrence_tolerance: float = 0.25
    poor_quality_threshold: float = 0.7
    stable_jump_adjustment: float = 0.1
    volatility_adjustment: float = -0.1
    recurrence_adjustment: float = -0.2
    poor_quality_adjustment: float = -0.1

    # As if so many verdicts of each sort had been given before the first.
    profile_prior: float = 2.0
    # What verdicts can move at most; below 1 - false_positive_threshold they alone never make a
    # false alarm of what is certain.
    profile_weight: float = 0.4
    # Verdicts on other sensors of the kind count as so many of the sensor's own at most.
    profile_kind_most: float = 1.0
    # All else that is known of an anomaly counts as so many verdicts on what looks just like it.
    precedent_prior: float = 1.0

    # A value that comes at the same time of day on this share of the days before, and at no other
    # time, belongs to the day.
    seasonal_days: int = 7
    seasonal_min_days: int = 3
    seasonal_recurrence_threshold_pct: float = 0.5
    seasonal_adjustment: float = -0.15

    def __post_init__(self) -> None:
        _require_numbers(self)
        _require(0 <= self.false_positive_threshold <= self.credible_threshold <= 1,
                 "0 <= false_positive_threshold <= credible_threshold <= 1")  # fmt: skip
        _require(self.recent_stability_window >= 2, "recent_stability_window >= 2")
        _require(1 <= self.min_history <= self.historical_check_limit <= 1000,
                 "1 <= min_history <= historical_check_limit <= 1000")  # fmt: skip
        _require(0 < self.recurring_anomaly_threshold_pct <= 1,
                 "0 < recurring_anomaly_threshold_pct <= 1")  # fmt: skip
        _require(0 < self.volatile_sigmas <= self.jump_sigmas, "0 < volatile_sigmas <= jump_sigmas")
        _require(self.recurrence_tolerance >= 0, "recurrence_tolerance >= 0")
        _require(0 <= self.poor_quality_threshold <= 1, "0 <= poor_quality_threshold <= 1")
        _require(self.doubt_half_life > 0, "doubt_half_life > 0")
        _require(self.profile_prior > 0, "profile_prior > 0")
        _require(0 <= self.profile_weight <= 1, "0 <= profile_weight <= 1")
        _require(0 <= self.stable_jump_adjustment <= 1, "0 <= stable_jump_adjustment <= 1")
        _require(self.profile_kind_most >= 0, "profile_kind_most >= 0")
        _require(self.precedent_prior > 0, "precedent_prior > 0")
        _require(1 <= self.seasonal_min_days <= self.seasonal_days <= 60,
                 "1 <= seasonal_min_days <= seasonal_days <= 60")  # fmt: skip
        _require(0 < self.seasonal_recurrence_threshold_pct <= 1,
                 "0 < seasonal_recurrence_threshold_pct <= 1")  # fmt: skip
        for name in ("volatility_adjustment", "recurrence_adjustment", "poor_quality_adjustment",
                     "seasonal_adjustment"):  # fmt: skip
            _require(-1 <= getattr(self, name) <= 0, f"-1 <= {name} <= 0")


# How careful to be, under a name: `{"preset": "accurate"}`, everywhere or for a kind or a sensor.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "balanced": {"credible_threshold": 0.7, "false_positive_threshold": 0.4,
                 "recent_stability_window": 5, "historical_check_limit": 20},
    "accurate": {"credible_threshold": 0.8, "false_positive_threshold": 0.3,
                 "recent_stability_window": 10, "historical_check_limit": 30},
    "fast": {"credible_threshold": 0.6, "false_positive_threshold": 0.5,
             "recent_stability_window": 3, "historical_check_limit": 10},
}  # fmt: skip
THRESHOLDS = ("false_positive_threshold", "credible_threshold")


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy of every sensor: the one for all, changed by kind, by calibration, by sensor.

    calibrated: the thresholds of those sensors whose verdicts moved them (anomalies.thresholds).
    What is stated for a sensor outranks what its verdicts say.
    """

    everywhere: ValidationPolicy = field(default_factory=ValidationPolicy)
    kinds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    calibrated: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    def of(self, *, sensor_id: int, kind: str) -> ValidationPolicy:
        stated = self.sensors.get(str(sensor_id), {})
        # A pair: half of each could be out of order.
        is_pinned = any(name in stated for name in THRESHOLDS)
        learnt = {} if is_pinned else self.calibrated.get(sensor_id, {})
        return replace(self.everywhere, **{**self.kinds.get(kind, {}), **learnt, **stated})


def parse(setting: object) -> Policies:
    """The policies in a VALIDATION_POLICY setting. Raises PolicyError, which names the culprit.

    >>> policies = parse({"min_history": 8, "kinds": {"flow": {"credible_threshold": 0.8}}})
    >>> policies.of(sensor_id=1, kind="flow").credible_threshold
    0.8
    >>> policies.of(sensor_id=1, kind="voltage").min_history
    8
    >>> parse({"preset": "accurate"}).everywhere.credible_threshold
    0.8
    """
    own = _spelt_out(_mapping(setting, "VALIDATION_POLICY"), "VALIDATION_POLICY")
    kinds = _scoped(own.pop("kinds", {}), "kinds")
    sensors = _scoped(own.pop("sensors", {}), "sensors")
    _refuse_unknown(kinds, {*KINDS, OTHER.name}, "kinds")
    for sensor_id in sensors:
        if not sensor_id.isdecimal():
            raise PolicyError(f"sensors.{sensor_id}: a sensor is named by its number.")
    policies = Policies(_policy(own, "VALIDATION_POLICY"), kinds, sensors)
    _try_all(policies)
    return policies


def _try_all(policies: Policies) -> None:
    """Every combination that a sensor can meet is a sound policy."""
    for kind in ("", *policies.kinds):
        for sensor_id in ("-1", *policies.sensors):
            where = f"kinds.{kind or '*'}, sensors.{sensor_id}"
            try:
                policies.of(sensor_id=int(sensor_id), kind=kind)
            except PolicyError as error:
                raise PolicyError(f"{where}: {error}") from error


def _policy(values: Mapping[str, Any], where: str) -> ValidationPolicy:
    _refuse_unknown(values, {known.name for known in fields(ValidationPolicy)}, where)
    return ValidationPolicy(**values)


def _spelt_out(said: Mapping[str, Any], where: str) -> dict[str, Any]:
    """With a preset as what it stands for; what is said beside it outranks it."""
    own = dict(said)
    if "preset" not in own:
        return own
    name = own.pop("preset")
    if not isinstance(name, str) or name not in PRESETS:
        raise PolicyError(f"{where}: preset {name!r}; there are {', '.join(PRESETS)}.")
    return {**PRESETS[name], **own}


def _scoped(setting: object, where: str) -> dict[str, dict[str, Any]]:
    scopes = {str(name): _spelt_out(_mapping(part, f"{where}.{name}"), f"{where}.{name}")
              for name, part in _mapping(setting, where).items()}  # fmt: skip
    known = {known.name for known in fields(ValidationPolicy)}
    for name, part in scopes.items():
        _refuse_unknown(part, known, f"{where}.{name}")
    return scopes


def _mapping(setting: object, where: str) -> Mapping[str, Any]:
    if not isinstance(setting, Mapping):
        raise PolicyError(f"{where} is {type(setting).__name__}, not names with values.")
    return setting


def _refuse_unknown(given: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(map(str, set(given) - known))
    if unknown:
        raise PolicyError(
            f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}."
        )


def _require_numbers(policy: ValidationPolicy) -> None:
    for known in fields(policy):
        value = getattr(policy, known.name)
        whole = known.type == "int"
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise PolicyError(
                f"{known.name} is {value!r}, not a {'whole ' if whole else ''}number."
            )
        if not isfinite(value):
            raise PolicyError(f"{known.name} is {value}.")


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise PolicyError(f"{rule} does not hold.")

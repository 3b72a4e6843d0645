"""The validation policy: defaults, overrides by kind and sensor, and what is refused."""

from typing import Any

import pytest
from django.core.checks.registry import registry
from pytest_django import Settings

from anomalies import checks
from anomalies.policy import PolicyError, ValidationPolicy, parse


def test_the_defaults_are_the_documented_numbers() -> None:
    policy = parse({}).of(sensor_id=1, kind="vibration")
    assert (policy.credible_threshold, policy.false_positive_threshold) == (0.7, 0.4)
    assert (policy.recent_stability_window, policy.min_history) == (5, 5)
    assert (policy.recurring_anomaly_threshold_pct, policy.historical_check_limit) == (0.25, 20)


def test_a_sensor_outranks_its_kind_and_a_kind_the_rest() -> None:
    policies = parse(
        {
            "min_history": 6,
            "credible_threshold": 0.71,
            "kinds": {"flow": {"credible_threshold": 0.8, "profile_weight": 0.1}},
            "sensors": {"7": {"credible_threshold": 0.9}},
        }
    )
    seventh = policies.of(sensor_id=7, kind="flow")
    assert (seventh.credible_threshold, seventh.profile_weight, seventh.min_history) == (
        0.9,
        0.1,
        6,
    )
    assert policies.of(sensor_id=8, kind="flow").credible_threshold == 0.8
    assert policies.of(sensor_id=8, kind="level").credible_threshold == 0.71


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ([], "VALIDATION_POLICY is list"),
        ({"credible_treshold": 0.7}, "unknown credible_treshold; known: credible_threshold"),
        ({"kinds": {"vibratoin": {}}}, "kinds: unknown vibratoin"),
        ({"kinds": {"flow": {"nonsense": 1}}}, r"kinds.flow: unknown nonsense"),
        ({"kinds": {"flow": 0.7}}, "kinds.flow is float"),
        ({"kinds": {"flow": {"credible_threshold": 0.3}}}, "kinds.flow.*does not hold"),
        ({"sensors": {"pump-1": {}}}, "named by its number"),
        ({"sensors": {"1": {"min_history": "many"}}}, "sensors.1.*min_history is 'many'"),
        ({"credible_threshold": "0.7"}, "not a number"),
        ({"credible_threshold": True}, "not a number"),
        ({"credible_threshold": float("nan")}, "nan"),
        ({"credible_threshold": 1.1}, "does not hold"),
        ({"false_positive_threshold": 0.8}, "does not hold"),
        ({"min_history": 5.5}, "whole number"),
        ({"min_history": 21}, "min_history <= historical_check_limit"),
        ({"recent_stability_window": 1}, "recent_stability_window"),
        ({"volatility_adjustment": 0.1}, "volatility_adjustment"),
        ({"profile_prior": 0}, "profile_prior"),
        ({"doubt_half_life": 0}, "doubt_half_life"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_by_name(setting: Any, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse(setting)


def test_an_override_that_is_sound_alone_but_not_with_its_kind_is_refused() -> None:
    setting = {
        "kinds": {"flow": {"false_positive_threshold": 0.6}},
        "sensors": {"3": {"credible_threshold": 0.5}},
    }
    with pytest.raises(PolicyError, match=r"kinds\.flow, sensors\.3"):
        parse(setting)


def test_a_policy_is_frozen() -> None:
    with pytest.raises(AttributeError):
        ValidationPolicy().min_history = 3  # type: ignore[misc]


def test_a_bad_policy_is_an_error_at_start(settings: Settings) -> None:
    assert checks.validation_policy in registry.get_checks()
    settings.VALIDATION_POLICY = {"credible_treshold": 0.7}
    (found,) = checks.validation_policy()
    assert found.id == "anomalies.E001"
    assert "credible_treshold" in found.msg
    settings.VALIDATION_POLICY = {"credible_threshold": 0.75}
    assert checks.validation_policy() == []


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("balanced", (0.7, 0.4, 5, 20)),
        ("accurate", (0.8, 0.3, 10, 30)),
        ("fast", (0.6, 0.5, 3, 10)),
    ],
)
def test_a_preset_is_its_four_numbers(name: str, numbers: tuple[float, ...]) -> None:
    found = parse({"preset": name}).everywhere
    assert (
        found.credible_threshold,
        found.false_positive_threshold,
        found.recent_stability_window,
        found.historical_check_limit,
    ) == numbers


def test_balanced_is_what_holds_unless_stated() -> None:
    assert parse({"preset": "balanced"}) == parse({})


def test_what_is_said_beside_a_preset_outranks_it_and_a_kind_can_have_its_own() -> None:
    found = parse({"preset": "fast", "min_history": 4, "kinds": {"flow": {"preset": "accurate"}}})
    assert found.everywhere.min_history == 4
    assert found.of(sensor_id=1, kind="flow").credible_threshold == 0.8
    assert found.of(sensor_id=1, kind="level").credible_threshold == 0.6


def test_a_preset_that_there_is_not_is_named() -> None:
    with pytest.raises(PolicyError, match="preset 'quick'; there are balanced, accurate, fast"):
        parse({"preset": "quick"})

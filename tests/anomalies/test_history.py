"""What the readings before an anomaly say about it."""

from typing import Any

import numpy as np
import pytest

from anomalies.evidence import Evidence
from anomalies.history import History, recurrence, scatter, terms
from anomalies.policy import ValidationPolicy
from sensors.series import Series

POLICY = ValidationPolicy()
STABLE = [50.0, 50.1, 49.9, 50.0, 50.1] * 4
VOLATILE = [20.0, 80.0, 35.0, 65.0, 50.0] * 4


def evidence(value: float, **values: Any) -> Evidence:
    return Evidence(
        **{
            "kind": "vibration", "nature": "machine", "rung": "champion", "detector": "forest",
            "score": 0.5, "severity": 3, "value": value, "readings": 1, "duration_s": 0.0,
            **values,
        }
    )  # fmt: skip


def said(values: list[float], given: Evidence, quality: float = 1.0) -> dict[str, float]:
    history = History(np.array(values), np.full(len(values), quality))
    return {term.name: term.value for term in terms(history, given, POLICY)}


def test_a_jump_from_a_stable_window_raises_the_confidence() -> None:
    assert said(STABLE, evidence(80)) == {"stable_jump": 0.1}


def test_a_volatile_window_lowers_the_confidence() -> None:
    assert said(VOLATILE, evidence(72)) == {"volatility": -0.1}


def test_only_the_recent_window_decides_on_stability() -> None:
    assert said([*VOLATILE[:15], 50.0, 50.1, 49.9, 50.0, 50.1], evidence(75)) == {
        "stable_jump": 0.1
    }


def test_a_step_between_volatile_and_jump_says_nothing() -> None:
    recent = np.array(STABLE[-5:])
    step = 3 * float(np.std(recent, ddof=1))
    assert said(STABLE, evidence(50.0 + step)) == {}


def test_a_shift_of_the_scale_changes_nothing() -> None:
    shifted = [value - 50.0 for value in STABLE]
    assert said(shifted, evidence(30)) == said(STABLE, evidence(80))


def test_a_history_without_variance_makes_any_other_value_a_jump() -> None:
    assert said([50.0] * 20, evidence(50.001)) == {"stable_jump": 0.1}


def test_a_history_without_variance_makes_the_same_value_recur() -> None:
    assert said([50.0] * 20, evidence(50.0)) == {"recurrence": -0.2}


def test_a_recurring_signature_lowers_the_confidence_at_exactly_a_quarter() -> None:
    seen_before = [80.0] * 5 + STABLE[:15]
    assert said(seen_before, evidence(80))["recurrence"] == -0.2


def test_a_signature_seen_in_less_than_a_quarter_does_not_recur() -> None:
    seen_before = [80.0] * 4 + STABLE[:16]
    assert "recurrence" not in said(seen_before, evidence(80))


def test_the_more_readings_look_alike_the_higher_the_recurrence() -> None:
    shares = [
        recurrence(History(np.array([80.0] * n + STABLE[: 20 - n]), np.ones(20)), 80.0, 0.25)
        for n in range(21)
    ]
    assert shares == [n / 20 for n in range(21)]


def test_poor_historical_quality_lowers_the_confidence() -> None:
    assert said(STABLE, evidence(80), quality=0.55) == {"stable_jump": 0.1, "poor_quality": -0.1}


def test_quality_at_exactly_the_threshold_is_not_poor() -> None:
    assert "poor_quality" not in said(STABLE, evidence(80), quality=0.7)


def test_a_stuck_value_is_not_held_against_an_instrument_fault() -> None:
    assert said([50.0] * 20, evidence(50.0, nature="instrument")) == {}


def test_a_value_inside_the_expected_band_is_not_held_against_an_odd_shape() -> None:
    inside = {"expected_low": 10.0, "expected_high": 90.0}
    assert said(VOLATILE, evidence(50, **inside)) == {}
    assert "volatility" in said(VOLATILE, evidence(50))


def test_a_short_history_says_only_that() -> None:
    assert said(STABLE[:4], evidence(80)) == {"too_short": 0.0}


def test_no_history_at_all_is_a_short_one() -> None:
    assert said([], evidence(80)) == {"too_short": 0.0}


def test_readings_that_are_no_numbers_do_not_count() -> None:
    times = np.arange(6).astype("datetime64[us]")
    values = np.array([1.0, np.nan, 2.0, np.inf, 3.0, 4.0])
    quality = np.array([1.0, 1.0, 1.0, 1.0, np.nan, 1.0])
    assert History.of(Series(times, values, quality)).values.tolist() == [1.0, 2.0, 4.0]


def test_the_scatter_is_the_standard_deviation_at_any_scale() -> None:
    values = np.array([1.0, 2.0, 4.0])
    assert scatter(values) == pytest.approx(np.std(values, ddof=1))
    assert scatter(values * 1e300) == pytest.approx(np.std(values, ddof=1) * 1e300)


def test_huge_values_overflow_nowhere() -> None:
    assert said([1e300, -1e300] * 10, evidence(1e300)) == {"volatility": -0.1, "recurrence": -0.2}


# --- the time of day ------------------------------------------------------------------------------


def seasonal(days_with: int, days: int, value: float = 80.0, **given: Any) -> dict[str, float]:
    """A calm sensor that read 80 at this time on some of the days before."""
    at_this_time = [
        np.array([50.0, 80.0 if day < days_with else 50.2, 49.9]) for day in range(days)
    ]
    history = History(np.array(STABLE), np.ones(20), days=tuple(at_this_time))
    return {term.name: term.value for term in terms(history, evidence(value, **given), POLICY)}


def test_what_comes_at_this_time_on_exactly_half_of_the_days_belongs_to_the_day() -> None:
    assert seasonal(3, 6)["seasonal_recurrence"] == POLICY.seasonal_adjustment


def test_what_came_on_fewer_days_does_not() -> None:
    assert "seasonal_recurrence" not in seasonal(2, 6)


def test_two_days_are_too_few_to_speak_of_a_season_and_three_are_enough() -> None:
    assert "seasonal_recurrence" not in seasonal(2, 2)
    assert "seasonal_recurrence" in seasonal(3, 3)


def test_what_recurs_all_day_long_is_no_season() -> None:
    days = tuple(np.array([80.0, 50.0]) for _ in range(5))
    history = History(np.array([80.0] * 5 + STABLE[:15]), np.ones(20), days=days)
    found = {term.name for term in terms(history, evidence(80), POLICY)}
    assert "recurrence" in found
    assert "seasonal_recurrence" not in found


def test_an_odd_shape_within_the_band_is_not_held_against_the_time_of_day() -> None:
    assert "seasonal_recurrence" not in seasonal(5, 5, expected_low=40.0, expected_high=90.0)


def test_a_day_without_usable_readings_is_no_day() -> None:
    times = np.arange(2).astype("datetime64[us]")
    gone = Series(times, np.array([np.nan, np.inf]), np.ones(2))
    assert History.of(gone, [gone, gone]).days == ()


def test_the_slope_is_the_units_an_hour_of_the_readings_before() -> None:
    times = np.arange(4) * np.timedelta64(30, "m") + np.datetime64("2026-01-01", "us")
    series = Series(times, np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4))
    assert History.of(series).slope == pytest.approx(2.0)
    assert History.of(series[:1]).slope is None
    assert History.of(series[:0]).slope is None
    flat = Series(times, np.full(4, 7.0), np.ones(4))
    assert History.of(flat).slope == 0.0
    assert History(np.ones(3), np.ones(3)).slope is None

"""Forecasters on their own: what they see, what they claim, and how good they are."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from mlops.forecasting import backtest, bands
from mlops.forecasting.crossing import Crossing, Limit, NoEstimate, crossing
from mlops.forecasting.forecast import TooShort, forecast
from mlops.forecasting.policy import (
    FORECASTERS,
    ForecastPolicy,
    ForecastPolicyError,
    forecaster,
    parse,
)
from mlops.forecasting.steps import Steps, filled, on_grid, without
from sensors.generator import draw_behaviour, normal_values

UTC, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
START = np.datetime64("2026-03-01T00:00", "us")
FAST = ForecastPolicy(forecasters=("seasonal_naive", "seasonal_mean", "linear"))


def make_steps(values, *, zone=UTC) -> Steps:
    values = np.asarray(values, dtype=float)
    known = np.isfinite(values)
    return Steps(START, 3600, filled(values, 24), known, zone)


def generated(seed: int, days: int, kind: str = "temperature") -> Steps:
    """A healthy generated sensor, a reading every ten minutes."""
    rng = np.random.default_rng(seed)
    times = START + np.arange(days * 144) * np.timedelta64(10, "m")
    values = normal_values(draw_behaviour(kind, rng), times, rng)
    return on_grid(times, values, start=START, n=days * 24, step_s=3600, zone=BERLIN)


def rising(days: int = 10, by: float = 2.0, noise: float = 0.3) -> Steps:
    """A sensor at 40 that gains `by` a day, with a day's shape."""
    hours = np.arange(days * 24)
    rng = np.random.default_rng(1)
    shape = np.sin(2 * np.pi * hours / 24)
    return make_steps(40 + by * hours / 24 + shape + noise * rng.normal(size=len(hours)))


@pytest.mark.parametrize("name", FORECASTERS)
def test_a_forecast_depends_on_nothing_later(name):
    steps = generated(1, 9)
    changed = make_steps(np.concatenate([steps.values[:150], steps.values[150:] + 50]), zone=BERLIN)
    one, other = (
        forecaster(name, FAST).fit(each.until(150), 24).forecast(each.until(150))
        for each in (steps, changed)
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["seasonal_naive", "seasonal_mean", "linear", "lightgbm"])
def test_a_shift_of_the_level_shifts_the_forecast(name):
    steps = generated(2, 9)
    higher = make_steps(steps.values + 64.0, zone=BERLIN)
    one, other = (forecaster(name, FAST).fit(each, 24).forecast(each) for each in (steps, higher))
    # Trees cut where a rounding may fall to either side.
    np.testing.assert_allclose(other, one + 64.0, atol=0.2)


@pytest.mark.parametrize("name", FORECASTERS)
def test_a_constant_sensor_is_forecast_constant(name):
    steps = make_steps(np.full(240, 7.0))
    found = forecaster(name, FAST).fit(steps, 24).forecast(steps)
    np.testing.assert_allclose(found, 7.0, atol=1e-3)


@pytest.mark.parametrize("name", FORECASTERS)
def test_a_daily_shape_is_met(name):
    hours = np.arange(20 * 24)
    steps = make_steps(10 + 3 * np.sin(2 * np.pi * hours / 24))
    found = forecaster(name, FAST).fit(steps, 24).forecast(steps)
    np.testing.assert_allclose(found, steps.values[-24:], atol=0.35)


@pytest.mark.parametrize("name", FORECASTERS)
def test_the_same_past_gives_the_same_bits(name):
    steps = generated(3, 9)
    one, other = (forecaster(name, FAST).fit(steps, 24).forecast(steps) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_gaps_are_filled_from_before_and_are_no_errors():
    values = generated(4, 9).values.copy()
    values[100:130] = np.nan
    steps = make_steps(values)
    assert np.isfinite(steps.values).all()
    found = backtest.course(len(steps), 24, origins=24, refits=4)
    errors = backtest.errors_of(forecaster("seasonal_naive", FAST), steps, found)
    targets = found.origins[:, None] + np.arange(24)
    assert np.isnan(errors[(targets >= 100) & (targets < 130)]).all()
    assert np.isfinite(errors[(targets < 100) | (targets >= 130)]).all()


def test_spans_that_are_left_out_are_not_learnt_from():
    steps = make_steps(np.r_[np.zeros(50), np.full(20, 99.0), np.zeros(50)])
    hour = np.timedelta64(1, "h")
    kept = without(steps, [(START + 50 * hour, START + 69 * hour)])
    assert kept.values.max() == 0
    assert int((~kept.known).sum()) == 20


def test_too_short_a_past_says_how_long_it_has_to_be():
    with pytest.raises(TooShort, match="50 steps were measured, 96 are needed"):
        forecast(make_steps(np.zeros(50)), FAST)


def test_what_chooses_has_passed_when_the_judging_begins():
    found = backtest.course(240, 48, origins=24, refits=4)
    begins = found.origins[found.judges][0]
    targets = found.origins[:, None] + np.arange(48)
    assert (targets[found.chooses] < begins).all()
    assert found.chooses.any()
    assert found.judges.any()


def test_nothing_that_judges_moves_who_is_chosen():
    steps = generated(5, 14)
    found = backtest.course(len(steps), 48, origins=24, refits=4)
    begins = int(found.origins[found.judges][0])
    noise = np.random.default_rng(0).normal(size=len(steps) - begins)
    changed = make_steps(np.r_[steps.values[:begins], 100 * noise], zone=BERLIN)
    candidates = [forecaster(name, FAST) for name in FAST.forecasters]
    one, other = (backtest.compete(candidates, each, found)[0] for each in (steps, changed))
    assert one.chosen == other.chosen
    assert one.chosen_by == other.chosen_by


def test_noise_alone_is_forecast_by_something_that_admits_it():
    """Nothing beats a mean of noise by much; whoever is chosen, the record states the gain."""
    steps = make_steps(np.random.default_rng(0).normal(size=400).cumsum())
    record = forecast(steps, FAST).record
    assert record.beats_naive == (record.mae[record.chosen] < record.mae["seasonal_naive"])
    if record.chosen == "seasonal_naive":
        assert not record.beats_naive


def test_bands_cover_what_they_promise_and_forecasters_beat_the_repeated_day():
    """36 healthy generated sensors with 7, 14 and 35 days; seeds that nothing was fitted to."""
    shares, gains = [], []
    for days in (7, 14, 35):
        for seed in range(900, 904):
            for kind in ("vibration", "temperature", "voltage"):
                record = forecast(generated(seed, days, kind), FAST).record
                assert record.coverage is not None
                shares.append(record.coverage.share)
                gains.append(record.gain)
    assert 0.75 <= np.mean(shares) <= 0.85
    assert np.mean(gains) > 0.08
    assert np.mean(np.array(gains) > 0) > 0.7


def test_a_band_is_made_from_what_was_known_at_its_origin():
    """Errors that were still to come do not widen it."""
    origins = np.arange(0, 200, 10)
    errors = np.full((20, 10), 0.1)
    errors[10:] = 5.0
    judged = np.arange(20) == 10
    held = bands.coverage(errors, origins, judged)
    assert held is not None
    assert held.share == 0.0


def test_a_rising_sensor_is_said_to_cross_its_limit():
    steps = rising()
    found = forecast(steps, FAST)
    met = crossing(found, steps, Limit("alarm_high", 62.0), FAST)
    assert isinstance(met, Crossing)
    # 60 at the end of the past, 2 a day, a day's shape of ±1: 62 within the two days ahead.
    assert 5 <= met.at <= 36
    assert met.earliest <= met.at
    assert met.latest is None or met.latest >= met.at
    assert 0.5 < met.score < 1


@pytest.mark.parametrize(
    ("steps", "limit", "reason"),
    [
        (rising(), Limit("alarm_low", 10.0), "no trend towards it"),
        (rising(), Limit("alarm_high", 500.0), "does not reach it"),
        (rising(), Limit("alarm_high", 59.0), "met within the last day"),
        (rising(by=0.0), Limit("alarm_high", 42.0), "no trend|did better|lay in"),
    ],
)
def test_no_estimate_says_why(steps, limit, reason):
    found = crossing(forecast(steps, FAST), steps, limit, FAST)
    assert isinstance(found, NoEstimate)
    assert re.search(reason, found.reason)


def test_healthy_sensors_cross_no_limit():
    """Limits four standard deviations away, over 30 sensors."""
    said = 0
    for seed in range(30):
        steps = generated(seed, 10)
        found = forecast(steps, FAST)
        for name, sign in (("alarm_high", 1), ("alarm_low", -1)):
            limit = Limit(name, steps.values.mean() + sign * 4 * steps.values.std())
            said += isinstance(crossing(found, steps, limit, FAST), Crossing)
    assert said == 0


def test_a_policy_names_what_is_wrong_with_it():
    with pytest.raises(ForecastPolicyError, match="known names"):
        parse({"horizons": 3})
    with pytest.raises(ForecastPolicyError, match="seasonal_naive among them"):
        parse({"forecasters": ["linear"]})
    with pytest.raises(ForecastPolicyError, match="horizon is"):
        parse({"horizon": "long"})

"""A sensor without history, judged by what its kind's sensors have in common."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from mlops.detectors import fleet
from mlops.detectors.fleet import FEWEST_SENSORS, LEAST_ROWS, Prior, judge
from mlops.detectors.newcomer import FEATURES, ROWS, Typical, see
from sensors.generator import normal
from sensors.series import FloatArray

STEP = np.timedelta64(600, "s")
TYPICAL = Typical(centre=50.0, apart=5.0, freedom=7.0, noise=1.0, noise_apart=0.3)


def history(seed: int, rows: int = 1500) -> FloatArray:
    times = np.datetime64("2026-01-05", "us") + np.arange(rows) * STEP
    return normal("temperature", times, np.random.default_rng([77, seed]))


@cache
def prior() -> Prior:
    found = fleet.learn([history(seed) for seed in range(5)], 600.0)
    assert found is not None
    return found


def column(X: FloatArray, name: str) -> FloatArray:
    return X[:, FEATURES.index(name)]


def score_level(values: FloatArray) -> FloatArray:
    """Each row's largest ratio against where one false alarm in 30 days begins."""
    level = prior().level(np.array(ROWS / 4320))
    return judge(values, 0, prior()).largest / level


@pytest.mark.parametrize("cut", [1, 2, 13, 60, 300])
def test_a_row_is_the_same_to_the_bit_whatever_comes_after_or_with_it(cut: int) -> None:
    values = history(20, ROWS)
    whole = judge(values, 0, prior())
    for part, rows in (
        (judge(values[:cut], 0, prior()), slice(cut)),
        (judge(values, cut, prior()), slice(cut, None)),
    ):
        assert np.array_equal(part.ratios, whole.ratios[rows])
        assert np.array_equal(part.low, whole.low[rows])
        assert np.array_equal(part.high, whole.high[rows])


def test_the_first_reading_is_judged_by_where_sensors_of_the_fleet_are() -> None:
    levels = [np.median(history(seed)) for seed in range(5)]
    assert score_level(np.array([np.mean(levels)]))[0] < 0.5
    assert score_level(np.array([max(levels) + 40 * np.std(levels)]))[0] > 1
    first = judge(np.array([np.mean(levels)]), 0, prior())
    low, high = first.low[0], first.high[0]
    assert low < np.quantile(levels, 0.25)
    assert high > np.quantile(levels, 0.75)


@pytest.mark.parametrize("at", [6, 20, 45])
def test_a_jump_is_found_before_the_sensor_has_a_baseline(at: int) -> None:
    values = history(21, 60)
    values[at:] += 15 * prior().typical.noise
    assert (score_level(values)[:at] < 1).all()
    assert score_level(values)[at] > 1


@pytest.mark.parametrize(("leading", "nature"), [("flat", "instrument"), ("spread", "machine")])
def test_a_stuck_and_a_scattering_newcomer_are_found_each_by_its_own_feature(
    leading: str, nature: str
) -> None:
    values, fault = history(22, 80), slice(20, 80)
    if leading == "flat":
        values[fault] = values[20]
    else:
        values[fault] += 5 * prior().typical.noise * np.random.default_rng(1).normal(size=60)
    assert score_level(values)[fault].max() > 1
    found = judge(values, 0, prior())
    assert column(found.ratios, leading)[fault].max() > 1
    shares = found.contributions(int(column(found.ratios, leading).argmax()))
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)
    assert fleet.nature(shares) == nature


def test_the_noise_moves_from_the_fleets_to_the_sensors_own_with_its_readings() -> None:
    calm = 50.0 + 0.1 * np.random.default_rng(2).normal(size=ROWS)
    noise = see(calm, 0, TYPICAL).noise
    assert noise[0] == noise[1] == TYPICAL.noise
    assert 0.3 < noise[30] < 0.9
    assert noise[-1] == pytest.approx(0.1, rel=0.25)
    assert (np.diff(noise)[30::50] < 0.02).all()


def test_a_place_counts_less_the_longer_the_sensor_stays_there() -> None:
    place = column(see(np.full(ROWS, 80.0), 0, TYPICAL).X, "place")
    assert place[0] == TYPICAL.place(np.array(80.0))
    assert TYPICAL.within(place[:1])[0] == pytest.approx(30.0)
    assert (np.diff(place) < 0).all()
    assert place[-1] < 0.4


def test_false_alarms_of_newcomers_are_about_as_many_as_promised() -> None:
    starts = [history(100 + seed, ROWS + 100 * (seed % 7))[-ROWS:] for seed in range(40)]
    looks = np.array(1.0)  # one in the first ROWS readings of a sensor
    given = np.mean([judge(v, 0, prior()).largest.max() >= prior().level(looks) for v in starts])
    assert 0.2 < given <= 1.0
    rare = np.mean([score_level(v).max() >= 1 for v in starts])
    assert rare <= 0.15


def test_it_is_the_same_in_any_order_of_the_sensors_and_survives_storage() -> None:
    again = fleet.learn([history(seed) for seed in (3, 1, 4, 0, 2)], 600.0)
    assert again is not None
    assert again.location == pytest.approx(prior().location, rel=1e-9)
    assert again.typical.noise == pytest.approx(prior().typical.noise, rel=1e-9)
    assert np.allclose(again.usual, prior().usual)
    stored = Prior.of(json.loads(json.dumps(prior().as_dict())))
    values = history(9, ROWS)
    assert np.array_equal(judge(values, 0, stored).ratios, judge(values, 0, prior()).ratios)


def test_one_odd_sensor_moves_it_little() -> None:
    odd = history(0).copy()
    odd[200:260] += 40.0
    found = fleet.learn([odd, *(history(seed) for seed in range(1, 5))], 600.0)
    assert found is not None
    assert found.location == pytest.approx(prior().location, rel=0.3)
    assert found.typical.noise == pytest.approx(prior().typical.noise, rel=0.1)


@pytest.mark.parametrize(
    "histories",
    [
        [],
        [history(seed) for seed in range(FEWEST_SENSORS - 1)],
        [history(seed, LEAST_ROWS - 1) for seed in range(FEWEST_SENSORS)],
        [np.full(LEAST_ROWS, 5.0) for _ in range(FEWEST_SENSORS)],
    ],
    ids=["none", "too few", "too short", "still"],
)
def test_without_enough_sensors_there_is_none(histories: list[FloatArray]) -> None:
    assert fleet.learn(histories, 600.0) is None


def test_no_reading_is_no_row() -> None:
    found = judge(np.zeros(0), 0, prior())
    assert found.ratios.shape == (0, len(FEATURES))
    assert len(found.largest) == 0

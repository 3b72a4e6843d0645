"""Detectors: one direction, one alarm level, each row for itself, and shares that explain."""

from collections.abc import Callable
from functools import cache, partial

import lightgbm
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from mlops import features
from mlops.detectors import limits
from mlops.detectors.base import ALARM_LEVEL, ALARM_RARITY, Detector, Tail, score_of_rarity
from mlops.detectors.classified import Classified
from mlops.detectors.fitted import CANDIDATES, candidate
from mlops.detectors.local import MIN_HISTORY_ROWS, fit_local
from mlops.detectors.statistical import Statistical
from mlops.features import FEATURES
from sensors.series import FloatArray
from tests.mlops.makers import fitted, healthy, healthy_features

MAKERS: dict[str, Callable[[], Detector]] = {
    "statistical": Statistical,
    "local": lambda: fit_local(healthy_features()[:500]),
    **{name: partial(fitted, name) for name in CANDIDATES},
}


@cache
def made(name: str) -> Detector:
    return MAKERS[name]()


def with_spike(size: float) -> FloatArray:
    """The features of a healthy stream's reading 900 with `size` noises added to it."""
    times, values = healthy(1000)
    noise = 1.4826 * np.median(np.abs(np.diff(values))) / np.sqrt(2)
    spiked = np.where(np.arange(1000) == 900, values + size * noise, values)
    return features.compute(times, spiked)[900:901]


@pytest.mark.parametrize("name", MAKERS)
def test_scores_lie_between_0_and_1_and_never_reach_it(name: str) -> None:
    X = np.vstack([healthy_features(), np.full((1, len(FEATURES)), features.CLIP)])
    scores = made(name).score(X)
    assert scores.min() >= 0
    assert scores.max() < 1


@pytest.mark.parametrize("name", MAKERS)
def test_a_score_is_a_function_of_its_own_row_to_the_bit(name: str) -> None:
    X, detector = healthy_features(), made(name)
    together = detector.score(X)
    alone = np.array([detector.score(X[row : row + 1])[0] for row in range(0, len(X), 97)])
    assert np.array_equal(alone, together[::97])
    assert np.array_equal(detector.score(X[::-1])[::-1], together)


@pytest.mark.parametrize("name", MAKERS)
def test_contributions_are_shares_that_sum_to_one(name: str) -> None:
    shares = made(name).contributions(np.vstack([healthy_features()[:50], with_spike(20)]))
    assert shares.min() >= 0
    assert np.allclose(shares.sum(axis=1), 1)


def labelled(name: str) -> Classified:
    """A champion that was shown faults."""
    X = healthy_features()
    is_fault = X[:, 0] > 1
    if name == "lightgbm":
        params = {"objective": "binary", "verbosity": -1}
        booster = lightgbm.train(params, lightgbm.Dataset(X, label=is_fault), num_boost_round=20)
        return Classified(name, booster)
    return Classified(name, RandomForestClassifier(10, random_state=0).fit(X, is_fault))


@pytest.mark.parametrize("name", [*MAKERS, "random_forest", "lightgbm"])
def test_what_explains_a_row_is_the_same_to_the_bit_whichever_rows_are_asked_for(name: str) -> None:
    detector = made(name) if name in MAKERS else labelled(name)
    X = np.tile(healthy_features(), (2, 1))
    together = detector.contributions(X)
    alone = np.concatenate([detector.contributions(X[row : row + 1]) for row in range(0, 2000, 97)])
    assert np.array_equal(together[::97], alone)
    assert np.array_equal(detector.contributions(X[::-1])[::-1], together)
    assert detector.contributions(X[:0]).shape == (0, len(FEATURES))


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"isolation_forest"}))
def test_two_features_that_are_equally_extreme_share_what_is_said(name: str) -> None:
    row = np.zeros((1, len(FEATURES)))
    first, second = FEATURES.index("flat"), FEATURES.index("gap")
    row[0, first], row[0, second] = features.NOTABLE["flat"] * 3, features.NOTABLE["gap"] * 3
    shares = made(name).contributions(row)[0]
    assert shares[[first, second]].sum() > 0.8
    assert shares[[first, second]].min() > 0.2


@pytest.mark.parametrize("name", MAKERS)
def test_no_rows_give_no_scores(name: str) -> None:
    assert made(name).score(np.zeros((0, len(FEATURES)))).shape == (0,)


@pytest.mark.parametrize("name", MAKERS)
def test_the_features_are_named_with_the_model(name: str) -> None:
    assert made(name).features_ == FEATURES


@pytest.mark.parametrize("name", MAKERS)
def test_healthy_readings_of_another_sensor_hardly_alarm(name: str) -> None:
    alarms = made(name).score(healthy_features(seed=102)) >= ALARM_LEVEL
    assert alarms.mean() < 0.02


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"isolation_forest"}))
def test_a_spike_of_25_noises_alarms(name: str) -> None:
    assert made(name).score(with_spike(25))[0] >= ALARM_LEVEL


@pytest.mark.parametrize("name", MAKERS)
def test_a_spike_scores_higher_than_the_reading_without_it(name: str) -> None:
    assert made(name).score(with_spike(25))[0] > made(name).score(with_spike(0))[0]


def test_a_larger_spike_scores_higher_where_the_tail_is_extrapolated() -> None:
    scores = [made("tails").score(with_spike(size))[0] for size in (15, 30, 60)]
    assert scores == sorted(set(scores))


@pytest.mark.parametrize("name", CANDIDATES)
def test_fitting_twice_gives_the_same_scores(name: str) -> None:
    X = healthy_features()
    again = candidate(name).fit(X[:500]).calibrate(X[500:])
    assert np.array_equal(again.score(X), fitted(name).score(X))


@pytest.mark.parametrize("name", sorted(set(CANDIDATES) - {"isolation_forest"}))
def test_unlabelled_faults_in_the_history_do_not_hide_the_next_one(name: str) -> None:
    X = healthy_features().copy()
    X[::100] = with_spike(20)
    taught = candidate(name).fit(X[:500]).calibrate(X[500:])
    assert taught.score(with_spike(30))[0] >= ALARM_LEVEL


def test_a_detector_that_was_not_calibrated_does_not_score() -> None:
    with pytest.raises(ValueError, match="not calibrated"):
        candidate("tails").fit(healthy_features()).score(healthy_features())


def test_a_local_model_needs_history() -> None:
    with pytest.raises(ValueError, match="needs 120"):
        fit_local(healthy_features()[: MIN_HISTORY_ROWS - 1])


def test_an_exponential_tail_is_learnt_to_a_tenth() -> None:
    drawn = np.random.default_rng(5).exponential(size=20_000)
    rarity = Tail.learn(drawn).rarity(np.array([np.log(10.0) * 4]))
    assert rarity[0] == pytest.approx(4, rel=0.1)


def test_the_alarm_level_is_one_in_ten_thousand() -> None:
    assert score_of_rarity(np.array([ALARM_RARITY]))[0] == ALARM_LEVEL


def test_a_tail_without_spread_stays_finite() -> None:
    assert np.isfinite(Tail.learn(np.zeros(50)).rarity(np.array([0.0, 1.0]))).all()


def test_a_tail_needs_twenty_rows() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        Tail.learn(np.arange(19.0))


def test_limits_alarm_from_the_first_reading() -> None:
    scores, is_physical = limits.score(np.array([12.0]), 0, 100, None, 10)
    assert scores[0] >= ALARM_LEVEL
    assert not is_physical[0]


def test_limits_tell_the_instrument_from_the_machine() -> None:
    scores, is_physical = limits.score(np.array([-1.0, 101.0, 50.0]), 0, 100, 20, 80)
    assert is_physical.tolist() == [True, True, False]
    assert scores.tolist() == [1.0, 1.0, 0.0]


def test_a_limit_itself_is_within() -> None:
    assert limits.score(np.array([10.0, 80.0]), 0, 100, 10, 80)[0].tolist() == [0.0, 0.0]


def test_farther_past_a_limit_scores_higher() -> None:
    scores, _ = limits.score(np.array([81.0, 90.0, 99.0]), None, None, 20, 80)
    assert (np.diff(scores) > 0).all()


def test_without_limits_nothing_alarms() -> None:
    assert not limits.score(np.array([-1e300, 1e300]), None, None, None, None)[0].any()


class Odds:
    """A classifier that reads the probability of a fault from the first feature."""

    def predict_proba(self, X: FloatArray) -> FloatArray:
        return np.column_stack([1 - X[:, 0], X[:, 0]])


def test_the_threshold_of_a_classifier_becomes_the_alarm_level() -> None:
    X = np.zeros((3, len(FEATURES)))
    X[:, 0] = 0.1, 0.2, 0.3
    scores = Classified("odds", Odds(), threshold=0.2).score(X)
    assert scores[1] == pytest.approx(ALARM_LEVEL)
    assert scores[0] < ALARM_LEVEL < scores[2]


def heavy(rows: int, seed: int = 0) -> FloatArray:
    """Rows of which each feature is now and then far out, by as much as it takes to be notable."""
    common = np.array([features.NOTABLE[name] for name in FEATURES])
    rng = np.random.default_rng(seed)
    return np.asarray(common * 0.3 * np.clip(rng.standard_t(3, (rows, len(FEATURES))), -3, 3))


def alarms_at(detector: Detector, name: str, times_notable: float) -> bool:
    row = np.zeros((1, len(FEATURES)))
    row[0, FEATURES.index(name)] = times_notable * features.NOTABLE[name]
    return bool(detector.score(row)[0] >= ALARM_LEVEL)


def test_few_rows_do_not_move_the_alarm_of_a_kind_beyond_what_is_notable() -> None:
    kind = candidate("tails").fit(heavy(600)).calibrate(heavy(60, seed=1))
    assert all(alarms_at(kind, name, 1.25) for name in FEATURES)
    assert not any(alarms_at(kind, name, 0.5) for name in FEATURES)


def test_a_kind_that_often_is_notably_far_out_alarms_farther_out() -> None:
    rows = heavy(2_000)
    spike = FEATURES.index("spike")
    rows[::50, spike] = 2.0 * features.NOTABLE["spike"]
    kind = candidate("tails").fit(rows[:1_500]).calibrate(rows[1_500:])
    assert not alarms_at(kind, "spike", 1.9)
    assert alarms_at(kind, "spike", 4.0)


def test_a_rarity_that_the_held_back_rows_often_exceed_is_believed_less() -> None:
    quiet, loud = np.linspace(0, 2, 500), np.linspace(0, 8, 500)
    assert Tail.stated(quiet).rarity(np.array([0.0, 4.0, 8.0])).tolist() == [0.0, 4.0, 8.0]
    assert Tail.stated(loud).rarity(np.array([4.0]))[0] < 2.5

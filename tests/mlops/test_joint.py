"""The joint model of a machine's sensors: what it sees, what it lets pass, and its bits."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from mlops.detectors.base import ALARM_LEVEL
from mlops.detectors.joint import MIN_FIT_ROWS, STRETCHES_PER_ALARM, Joint, trailing_mean
from sensors.series import FloatArray

FIT_ROWS = 400


def machine(rows: int, seed: int = 0) -> FloatArray:
    """Four sensors of one machine: three share a load, the last is white noise."""
    rng = np.random.default_rng(seed)
    load = rng.normal(size=rows)
    own = rng.normal(size=(rows, 3))
    return np.column_stack([load + own[:, 0], 2 * load + own[:, 1], -load, own[:, 2]]) + 50.0


@cache
def fitted() -> Joint:
    return Joint().fit(machine(FIT_ROWS))


def alarms(model: Joint, X: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(model.score(X) >= ALARM_LEVEL)


def test_a_score_does_not_change_when_later_rows_come() -> None:
    X = machine(900, seed=1)
    whole = fitted().score(X)
    for cut in (401, 455, 700, 899):
        assert np.array_equal(fitted().score(X[:cut]), whole[:cut])


def test_a_score_needs_its_context_and_nothing_before_it() -> None:
    X, context = machine(900, seed=2), fitted().context_rows_
    part = fitted().score(X[500 - context :])
    assert np.array_equal(part[context:], fitted().score(X)[500:])


def test_a_fit_gives_the_same_bits_again() -> None:
    X = machine(900, seed=3)
    assert np.array_equal(fitted().score(X), Joint().fit(machine(FIT_ROWS)).score(X))


def test_scores_lie_between_0_and_1() -> None:
    X = machine(900, seed=4)
    X[600:] = 1e90
    score = fitted().score(X)
    assert score.min() >= 0
    assert score.max() < 1
    assert score[700] > ALARM_LEVEL


def test_a_move_that_breaks_the_sensors_relation_is_found_where_each_alone_is_usual() -> None:
    X = machine(900, seed=5)
    X[600:, 1] -= 1.5
    X[600:, 0] += 0.75
    assert alarms(fitted(), X)[640:].mean() > 0.9
    lone = [Joint().fit(machine(FIT_ROWS)[:, [k]]).score(X[:, [k]]) for k in (0, 1)]
    assert (np.max(lone, axis=0)[640:] >= ALARM_LEVEL).mean() < 0.3


def test_shares_name_the_sensor_that_moved() -> None:
    X = machine(900, seed=6)
    X[600:, 3] += 3.0
    shares = fitted().contributions(X)
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert shares[700].argmax() == 3


def test_a_wandering_sensor_may_wander_on_and_a_steady_one_may_not() -> None:
    rng = np.random.default_rng(7)
    steps = rng.normal(size=1000)
    steady = rng.normal(size=1000)
    wandering = np.cumsum(steps)
    drift = np.where(np.arange(1000) >= FIT_ROWS, (np.arange(1000) - FIT_ROWS) * 0.01, 0.0)
    passes = alarms(Joint().fit(wandering[:FIT_ROWS, None]), (wandering + drift)[:, None])
    found = alarms(Joint().fit(steady[:FIT_ROWS, None]), (steady + drift)[:, None])
    assert passes[FIT_ROWS:].mean() < 0.2
    assert found[700:].mean() > 0.95


def test_false_alarms_on_steady_machines_are_at_most_as_many_as_stated() -> None:
    shares = [
        alarms(Joint().fit(X[:FIT_ROWS]), X)[FIT_ROWS:].mean()
        for X in (machine(2 * FIT_ROWS, seed) for seed in range(100, 160))
    ]
    stated = 1 / (20 * STRETCHES_PER_ALARM)
    # Fewer than stated: what is held back is judged by fits of three quarters of the rows.
    assert stated / 10 < np.mean(shares) < stated


def test_a_direction_lets_the_other_one_pass() -> None:
    rising, falling = machine(900, seed=8), machine(900, seed=8)
    rising[600:, 3] += 3.0
    falling[600:, 3] -= 3.0
    model = Joint(directions=np.array([0.0, 0.0, 0.0, 1.0])).fit(machine(FIT_ROWS))
    assert alarms(model, rising)[650:].all()
    assert alarms(model, falling)[650:].mean() < 0.2


def test_missing_values_say_nothing_and_others_still_count() -> None:
    X = machine(900, seed=9)
    X[600:, 3] += 3.0
    X[500:, 0] = np.nan
    assert alarms(fitted(), X)[650:].all()
    X[500:] = np.nan
    assert not alarms(fitted(), X)[650:].any()


def test_a_sensor_that_never_moved_is_found_when_it_does() -> None:
    X = machine(900, seed=10)
    X[:600, 2] = 4.0
    X[600:, 2] = 4.001
    model = Joint().fit(X[:FIT_ROWS])
    assert alarms(model, X)[650:].all()
    assert model.contributions(X)[700].argmax() == 2


def test_observed_and_expected_are_in_the_sensors_units() -> None:
    X = machine(900, seed=11)
    X[600:, 3] += 3.0
    model = fitted()
    low, high = model.expected(X)
    assert low[700, 3] < 50.0 < high[700, 3] < model.observed(X)[700, 3]
    assert model.observed(X)[700, 3] == pytest.approx(53.0, abs=0.6)


def test_too_few_rows_are_refused_with_their_number() -> None:
    with pytest.raises(ValueError, match="119 complete rows"):
        Joint().fit(machine(MIN_FIT_ROWS - 1))


def test_a_trailing_mean_is_unknown_while_half_its_rows_are() -> None:
    X = np.array([[1.0], [np.nan], [np.nan], [np.nan], [5.0]])
    assert trailing_mean(X, 4).ravel() == pytest.approx(
        [1.0, 1.0, np.nan, np.nan, np.nan], nan_ok=True
    )

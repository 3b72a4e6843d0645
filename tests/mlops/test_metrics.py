"""Metrics: events by overlap, no point adjustment."""

import numpy as np
import pytest

from mlops.metrics import (
    Counts,
    at_level,
    average_precision,
    bootstrap_interval,
    by_overlap,
    episodes,
)


def test_two_alarms_on_one_fault_find_it_once() -> None:
    assert by_overlap([(1, 2), (4, 5)], [(0, 6)]) == Counts(found=1, missed=0, false_alarms=0)


def test_an_alarm_next_to_a_fault_is_false() -> None:
    assert by_overlap([(7, 9)], [(0, 6)]) == Counts(found=0, missed=1, false_alarms=1)


def test_alarming_always_finds_all_and_says_nothing_of_precision_by_episodes() -> None:
    counts = by_overlap([(0, 99)], [(5, 6), (50, 60)])
    assert (counts.recall, counts.precision) == (1.0, 1.0)


def test_nothing_alarmed_is_zero_and_no_error() -> None:
    counts = by_overlap([], [(5, 6)])
    assert (counts.precision, counts.recall, counts.f1) == (0.0, 0.0, 0.0)


def test_no_alarm_is_no_episode() -> None:
    assert episodes(np.zeros(5, dtype=bool), gap=2) == []


def test_a_perfect_order_has_average_precision_one() -> None:
    assert average_precision(np.array([0.9, 0.8, 0.1]), np.array([True, True, False])) == 1.0


def test_equal_scores_have_the_share_of_faults_as_average_precision() -> None:
    is_fault = np.array([True, False, False, True])
    assert average_precision(np.full(4, 0.5), is_fault) == 0.5


def test_without_faults_average_precision_is_zero() -> None:
    assert average_precision(np.array([0.5]), np.array([False])) == 0.0


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    counts = at_level(np.array([0.9, 0.6, 0.2, 0.1]), np.array([1, 0, 1, 0], dtype=bool), 0.5)
    p, r = counts.precision, counts.recall
    assert counts.f1 == pytest.approx(2 * p * r / (p + r))


def test_the_bootstrap_interval_of_a_mean_holds_it() -> None:
    drawn = np.random.default_rng(3).normal(size=400)
    low, high = bootstrap_interval(
        lambda rows: float(drawn[rows].mean()), 400, rng=np.random.default_rng(4)
    )
    assert low < drawn.mean() < high
    assert high - low == pytest.approx(2 * 1.645 / 20, rel=0.3)


def test_the_bootstrap_of_nothing_is_nan() -> None:
    assert np.isnan(bootstrap_interval(lambda _: 0.0, 0, rng=np.random.default_rng(0))).all()

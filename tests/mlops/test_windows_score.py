"""Alarms against labelled windows."""

import numpy as np
import pytest

from mlops.windows_score import PROFILES, Stream, best_score, probation, score_at, worth

STANDARD, LOW_FP, LOW_FN = PROFILES
ROWS, WINDOW = 1_000, (400, 449)


def with_alarms(*rows: int) -> list[Stream]:
    scores = np.zeros(ROWS)
    scores[list(rows)] = 0.9
    return [Stream(scores, (WINDOW,))]


@pytest.mark.parametrize("profile", PROFILES)
def test_an_alarm_at_the_first_row_of_every_window_is_perfect(profile):
    assert score_at(with_alarms(400), 0.5, profile) == pytest.approx(100)


@pytest.mark.parametrize("profile", PROFILES)
def test_no_alarm_scores_nothing(profile):
    assert score_at(with_alarms(), 0.5, profile) == 0


def test_earlier_in_a_window_is_better_and_counts_once():
    early, late = (score_at(with_alarms(row), 0.5, STANDARD) for row in (405, 440))
    assert early > late > 0
    assert score_at(with_alarms(405, 410, 440), 0.5, STANDARD) == early


def test_a_false_alarm_costs_more_far_from_a_window_than_just_after_one():
    after, far = (score_at(with_alarms(400, row), 0.5, STANDARD) for row in (451, 900))
    assert far < after < 100
    assert far == pytest.approx(100 - 100 * STANDARD.false_alarm / 2)


def test_profiles_weigh_what_they_are_named_for():
    alarms = with_alarms(400, 900)
    assert score_at(alarms, 0.5, LOW_FP) < score_at(alarms, 0.5, STANDARD)
    missed = [*with_alarms(400), *with_alarms()]
    assert score_at(missed, 0.5, LOW_FN) == score_at(missed, 0.5, STANDARD) == pytest.approx(50)


def test_what_is_on_probation_neither_helps_nor_harms():
    assert probation(ROWS) == 150
    assert score_at(with_alarms(149, 400), 0.5, STANDARD) == pytest.approx(100)


def test_the_best_level_is_at_least_as_good_as_any_other():
    rng = np.random.default_rng(0)
    scores = rng.random(ROWS).round(2)
    scores[410] = 0.97
    streams = [Stream(scores, (WINDOW,))]
    best, level = best_score(streams, STANDARD)
    every = [score_at(streams, each, STANDARD) for each in np.unique(scores)]
    assert best == pytest.approx(max(every))
    assert score_at(streams, level, STANDARD) == pytest.approx(best)


def test_worth_falls_through_a_window_and_after_it():
    value, window = worth(ROWS, [WINDOW, (700, 749)])
    assert (np.diff(value[400:600]) <= 0).all()
    assert (value[:400] == -1).all()
    assert np.unique(window).tolist() == [-1, 0, 1]


def test_streams_without_windows_only_cost():
    scores = np.zeros(ROWS)
    scores[500] = 0.9
    healthy = Stream(scores, ())
    together = score_at([*with_alarms(400), healthy], 0.5, STANDARD)
    assert together < score_at(with_alarms(400), 0.5, STANDARD)

"""Which episode an anomaly belongs to, and how bad an episode is: the pure part."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from anomalies.episodes import weight
from anomalies.episodes.course import Place, Span, Step, is_calm, place
from anomalies.episodes.policy import EpisodePolicy, EpisodePolicyError, parse
from tests.factories import NOW

HOUR = timedelta(hours=1)
POLICY = EpisodePolicy(exit_quiet_s=3_600, exit_readings=5, rejoin_s=86_400)


def span(number: int = 1, first: float = 0, last: float = 1, **values: Any) -> Span:
    """An open episode from hour `first` to hour `last`."""
    values = {"is_open": True, **values}
    return Span(number, NOW + first * HOUR, NOW + last * HOUR, **values)


def placed(start: float, *episodes: Span, end: float | None = None, quiet: bool = True) -> Place:
    at, until = NOW + start * HOUR, NOW + (start if end is None else end) * HOUR
    return place(at, until, episodes, lambda *_: quiet, POLICY)


def test_the_first_anomaly_opens_an_episode() -> None:
    assert placed(0) == Place(Step.OPEN)


def test_what_comes_before_it_calmed_down_joins() -> None:
    assert placed(1.9, span()) == Place(Step.JOIN, 1)


def test_exactly_at_the_quiet_time_it_has_calmed_down_and_is_opened_again() -> None:
    assert placed(2, span()) == Place(Step.REOPEN, 1)


def test_silence_is_no_recovery() -> None:
    assert placed(300, span(), quiet=False) == Place(Step.JOIN, 1)


def test_exactly_at_the_rejoin_time_it_is_still_the_same_episode() -> None:
    assert placed(25, span()) == Place(Step.REOPEN, 1)
    assert placed(25.01, span()) == Place(Step.OPEN, closes=1)


def test_what_a_person_has_in_hand_takes_what_comes_later() -> None:
    assert placed(500, span(handled=True)) == Place(Step.JOIN, 1)


def test_what_calmed_down_is_opened_again_by_news_only() -> None:
    calmed = span(is_open=False)
    assert placed(3, calmed) == Place(Step.REOPEN, 1)
    assert placed(0.5, calmed) == Place(Step.JOIN, 1)


def test_what_a_person_resolved_stays_so_for_what_began_before() -> None:
    resolved = span(is_open=False, resolved_at=NOW + 2 * HOUR)
    assert placed(1.5, resolved) == Place(Step.JOIN, 1)
    assert placed(2.5, resolved) == Place(Step.REOPEN, 1)


def test_what_goes_on_after_a_person_resolved_it_opens_it_again() -> None:
    resolved = span(is_open=False, resolved_at=NOW + 2 * HOUR)
    assert placed(0.5, resolved, end=3) == Place(Step.JOIN, 1)
    assert placed(0.5, resolved, end=3.01) == Place(Step.REOPEN, 1)


def test_the_distant_past_is_recorded_while_something_later_is_known() -> None:
    assert placed(-100, span()) == Place(Step.RECORD)
    assert placed(-100, span(is_open=False)) == Place(Step.RECORD)


def test_an_old_episode_is_not_opened_again_while_there_is_a_later_one() -> None:
    old = span(1, -50, -49, is_open=False)
    assert placed(-48, old, span(2)) == Place(Step.JOIN, 1)


def test_a_sensor_has_left_exactly_at_the_quiet_time_and_the_count() -> None:
    assert is_calm(NOW, NOW + HOUR, 5, POLICY)
    assert not is_calm(NOW, NOW + HOUR - timedelta(seconds=1), 5, POLICY)
    assert not is_calm(NOW, NOW + HOUR, 4, POLICY)
    assert not is_calm(NOW, None, 0, POLICY)


def test_severity_rises_with_score_criticality_and_breadth() -> None:
    by_score = [weight.severity(score, 3, 1) for score in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    by_machine = [weight.severity(0.75, criticality, 1) for criticality in range(1, 6)]
    by_breadth = [weight.severity(0.75, 3, sensors) for sensors in (1, 2, 4, 8, 64)]
    assert by_score == [1, 2, 3, 4, 5, 5]
    assert by_machine == sorted(by_machine)
    assert by_breadth == sorted(by_breadth)
    assert by_machine[0] < by_machine[-1]
    assert by_breadth[0] < by_breadth[-1]


@pytest.mark.parametrize(
    "setting",
    [
        {"exit_score": 0.7, "enter_score": 0.6},
        {"exit_quiet_s": 7_200, "rejoin_s": 3_600},
        {"enter_anomalies": 0},
        {"enter_anomalies": True},
        {"statuses": ["nonsense"]},
        {"unknown": 1},
        {"kinds": {"nonsense": {}}},
        {"kinds": {"flow": {"exit_readings": -1}}},
        [],
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(setting: object) -> None:
    with pytest.raises(EpisodePolicyError):
        parse(setting)

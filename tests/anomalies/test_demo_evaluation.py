"""Faults against alarms: the rule is overlap on the same sensor, both ends included."""

import math

import numpy as np
import pytest

from anomalies.demo.evaluation import Alarm, Evaluation, evaluate
from sensors.generator import Fault

DAY = np.datetime64("2026-05-04T00:00", "us")
TIMES = {
    sensor: DAY + np.arange(24 * 6) * np.timedelta64(10, "m") for sensor in ("a", "b", "quiet")
}


def _at(hour: float) -> np.datetime64:
    return DAY + np.timedelta64(round(hour * 3600), "s")


def _fault(start: float, end: float, sensor: str = "a", sort: str = "drift") -> Fault:
    return Fault(sort, sensor, _at(start), _at(end), 3.0)


def _alarm(start: float, end: float, sensor: str = "a", rung: str = "champion") -> Alarm:
    return Alarm(sensor, _at(start), _at(end), rung)


def _evaluate(faults: list[Fault], alarms: list[Alarm], since: float = 0) -> Evaluation:
    return evaluate(faults, alarms, since=_at(since), times=TIMES)


@pytest.mark.parametrize(
    ("start", "end"),
    [(2, 3), (1, 2), (4, 5), (1, 6), (2.5, 2.5)],
    ids=["inside", "touches the start", "touches the end", "around", "one reading"],
)
def test_an_alarm_that_shares_an_instant_finds_the_fault(start, end):
    score = _evaluate([_fault(2, 4)], [_alarm(start, end)]).overall()
    assert (score.found, score.false_alarms) == (1, 0)


@pytest.mark.parametrize(("start", "end"), [(0, 1.99), (4.01, 5)])
def test_an_alarm_just_beside_the_fault_misses_it_and_is_false(start, end):
    score = _evaluate([_fault(2, 4)], [_alarm(start, end)]).overall()
    assert (score.found, score.false_alarms) == (0, 1)


def test_another_sensors_alarm_finds_nothing():
    score = _evaluate([_fault(2, 4, "a")], [_alarm(2, 4, "b")]).overall()
    assert (score.recall, score.precision) == (0.0, 0.0)


def test_several_alarms_find_a_fault_once_and_are_all_true():
    score = _evaluate([_fault(2, 6)], [_alarm(2, 3), _alarm(5, 7)]).overall()
    assert (score.injected, score.found, score.alarms, score.true_alarms) == (1, 1, 2, 2)


def test_one_alarm_may_find_two_faults():
    assert _evaluate([_fault(2, 3), _fault(5, 6)], [_alarm(1, 7)]).overall().found == 2


def test_alarms_of_the_history_do_not_count():
    score = _evaluate([_fault(10, 11)], [_alarm(1, 2), _alarm(10, 11)], since=5).overall()
    assert (score.alarms, score.precision) == (1, 1.0)


def test_an_alarm_that_reaches_out_of_the_history_counts():
    assert _evaluate([], [_alarm(4, 6)], since=5).overall().false_alarms == 1


def test_the_delay_is_counted_in_readings_and_never_negative():
    late = _evaluate([_fault(2, 6)], [_alarm(3, 4)])
    early = _evaluate([_fault(2, 6)], [_alarm(1, 4)])
    assert late.by_sort() == {"drift": (1, 1, 6)}
    assert early.by_sort() == {"drift": (1, 1, 0)}


def test_a_missed_sort_has_no_delay():
    assert _evaluate([_fault(2, 6)], []).by_sort() == {"drift": (1, 0, None)}


def test_kinds_and_rungs_are_counted_apart():
    found = _evaluate(
        [_fault(2, 4, "a"), _fault(2, 4, "b")],
        [_alarm(2, 3, "a"), _alarm(8, 9, "b", rung="local")],
    )
    scores = found.by_kind({"a": "vibration", "b": "voltage", "quiet": "pressure"})
    assert (scores["vibration"].recall, scores["vibration"].precision) == (1.0, 1.0)
    assert (scores["voltage"].recall, scores["voltage"].precision) == (0.0, 0.0)
    assert found.by_rung() == {"champion": (1, 1), "local": (1, 0)}


def test_ratios_of_nothing_are_not_a_number():
    score = _evaluate([], []).overall()
    assert math.isnan(score.recall)
    assert math.isnan(score.precision)

"""Scores, rungs and ranges: pure, on generated readings."""

import numpy as np
import pytest

from anomalies.detection_policy import DetectionPolicy
from anomalies.scored import CHAMPION, LIMITS, LOCAL, STATISTICAL, Range, ranges, severity
from anomalies.scoring import context_rows, score_again, score_stretches
from anomalies.stretch import Limits, Stretch
from mlops import features
from mlops.detectors.base import Detector
from mlops.detectors.local import fit_local
from sensors.generator import labelled_stream
from sensors.series import Series

POLICY = DetectionPolicy()
UNTIL = np.datetime64("2026-03-01T00:00", "us")


def make_series(seed: int = 100, faults: tuple[str, ...] = ("level_shift",)) -> Series:
    stream = labelled_stream("temperature", faults, until=UNTIL, rng=np.random.default_rng(seed))
    times, values = stream.in_event_order()
    return Series(times, values, np.ones(len(values)))


def make_champion() -> Detector:
    series = make_series(seed=107, faults=())
    return fit_local(features.compute(series.times, series.values, features.MIN_ROWS))


def test_a_limit_breach_alarms_on_the_first_reading() -> None:
    series = make_series()[:1]
    limits = Limits(alarm_high=float(series.values[0]) - 1)
    scored = score_stretches([Stretch(series, 0, limits)], None, POLICY)[0]
    assert scored.scores[0] >= POLICY.alarm_level
    assert scored.rungs[0] == LIMITS


def test_a_young_sensor_climbs_the_ladder_as_its_history_grows() -> None:
    scored = score_stretches([Stretch(make_series(faults=()), 0, Limits())], None, POLICY)[0]
    assert set(scored.serving[: POLICY.statistical_rows - 1]) == {LIMITS}
    assert scored.serving[POLICY.statistical_rows - 1] == STATISTICAL
    assert scored.serving[-1] == LOCAL


def test_a_champion_serves_once_its_features_carry_evidence() -> None:
    scored = score_stretches([Stretch(make_series(), 0, Limits())], make_champion(), POLICY)[0]
    assert scored.serving[features.MIN_ROWS - 2] == STATISTICAL
    assert set(scored.serving[features.MIN_ROWS - 1 :]) == {CHAMPION}


@pytest.mark.parametrize("by_champion", [False, True])
def test_a_score_does_not_depend_on_how_the_rows_are_batched(by_champion: bool) -> None:
    series, champion = make_series(), make_champion() if by_champion else None
    whole = score_stretches([Stretch(series, 0, Limits())], champion, POLICY)[0]
    for row in (0, 29, 300, 700, len(series) - 1):
        alone = Stretch(series[: row + 1], row, Limits())
        found = score_stretches([alone], champion, POLICY)[0]
        assert found.scores[0] == whole.scores[row]
        assert found.rungs[0] == whole.rungs[row]


def test_the_context_that_is_promised_is_enough_for_a_champion() -> None:
    series, champion = make_series(), make_champion()
    whole = score_stretches([Stretch(series, 0, Limits())], champion, POLICY)[0]
    lead = context_rows(POLICY, champion=True)
    row = len(series) - 1
    window = Stretch(series[row - lead :], lead, Limits())
    assert score_stretches([window], champion, POLICY)[0].scores[0] == whole.scores[row]


def test_scores_see_only_the_past() -> None:
    series = make_series()
    later = Series(series.times, series.values.copy(), series.quality)
    later.values[800:] += 50
    first = score_stretches([Stretch(series, 0, Limits())], None, POLICY)[0]
    second = score_stretches([Stretch(later, 0, Limits())], None, POLICY)[0]
    assert np.array_equal(first.scores[:800], second.scores[:800])
    assert not np.array_equal(first.scores[800:], second.scores[800:])


def test_many_sensors_get_the_scores_that_each_gets_alone() -> None:
    champion = make_champion()
    stretches = [Stretch(make_series(seed), 500, Limits()) for seed in (101, 102, 103)]
    together = score_stretches(stretches, champion, POLICY)
    for stretch, scored in zip(stretches, together, strict=True):
        assert np.array_equal(scored.scores, score_stretches([stretch], champion, POLICY)[0].scores)


@pytest.mark.parametrize("rung", [STATISTICAL, LOCAL, CHAMPION])
def test_a_score_can_be_computed_again_from_its_row_alone(rung: int) -> None:
    champion = make_champion() if rung == CHAMPION else None
    series = make_series()
    scored = score_stretches([Stretch(series, 0, Limits())], champion, POLICY)[0]
    row = int(np.flatnonzero(scored.rungs == rung)[-1])
    names = {STATISTICAL: "statistical", LOCAL: "local", CHAMPION: "champion"}
    alone = Stretch(series[: row + 1], row, Limits())
    assert score_again(alone, names[rung], champion, POLICY) == scored.scores[row]


def test_readings_within_the_merge_gap_are_one_range_and_beyond_it_two() -> None:
    scores = np.zeros(30)
    scores[[5, 5 + POLICY.merge_gap_rows]] = 0.9
    assert ranges(scores, POLICY) == [Range(5, 5, 5 + POLICY.merge_gap_rows)]
    scores[[5 + POLICY.merge_gap_rows, 6 + POLICY.merge_gap_rows]] = 0.0, 0.9
    assert len(ranges(scores, POLICY)) == 2


def test_a_score_at_the_alarm_level_is_an_anomaly_and_one_below_it_is_not() -> None:
    assert ranges(np.array([POLICY.alarm_level]), POLICY)
    assert not ranges(np.array([np.nextafter(POLICY.alarm_level, 0)]), POLICY)


def test_nothing_scores_nothing() -> None:
    assert ranges(np.empty(0), POLICY) == []
    assert score_stretches([], make_champion(), POLICY) == []


def test_severity_rises_with_the_score() -> None:
    levels = [severity(score) for score in np.linspace(0.5, 1, 50)]
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (1, 5)

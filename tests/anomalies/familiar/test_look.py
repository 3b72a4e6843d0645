"""Rows that would alarm are looked at again; what is new stays odd, what is a habit does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomalies.detection_policy import DetectionPolicy
from anomalies.familiar import look
from anomalies.familiar.look import Asked, Look, Past
from anomalies.familiar.modes import Modes
from anomalies.scored import RUNGS, Scored, ranges
from anomalies.scoring import score_stretches
from anomalies.stretch import Limits, Stretch
from mlops.detectors.local import fit_local
from sensors.series import FloatArray, Series
from tests.mlops.test_conditioned import BEGIN, CYCLE, START, STEP, cycles

POLICY = DetectionPolicy()
DAY = 144
NO_LIMITS = Limits()


def stretch_of(values: FloatArray, first: int = 0, limits: Limits = NO_LIMITS) -> Stretch:
    times = BEGIN + np.arange(len(values)) * STEP
    return Stretch(Series(times, values, np.ones(len(values))), first, limits)


def looked(stretch: Stretch, *, only_rises: bool = False) -> Scored:
    scored = score_stretches([stretch], None, POLICY)[0]
    past = Past.of(stretch.series, only_rises=only_rises)
    return look.look_again([Asked(stretch, scored, past, POLICY)])[0]


def starts(scored: Scored) -> list[int]:
    return [found.start for found in ranges(scored.scores, POLICY)]


def shifts(days: int, seed: int = 1) -> FloatArray:
    """60 by day, 40 by night, from one reading to the next."""
    n = days * DAY
    by_day = (np.arange(n) % DAY >= 36) & (np.arange(n) % DAY < 132)
    return np.where(by_day, 60.0, 40.0) + np.random.default_rng(seed).normal(0, 1, n).round(2)


def test_shifts_that_begin_and_end_are_odd_once() -> None:
    stretch = stretch_of(shifts(12))
    plain = score_stretches([stretch], None, POLICY)[0]
    assert len(starts(plain)) > 12
    assert [start for start in starts(looked(stretch)) if start >= 2 * DAY] == []


@pytest.mark.parametrize("size", [-9.0, 9.0])
def test_a_level_that_it_never_had_stays_odd(size: float) -> None:
    values = shifts(9)
    values[8 * DAY + 60 : 8 * DAY + 90] += size
    assert 8 * DAY + 60 <= starts(looked(stretch_of(values)))[-1] <= 8 * DAY + 62


def test_fifty_starts_and_stops_that_nobody_told_of_are_no_anomaly() -> None:
    _, values, _ = cycles(seed=17)
    assert starts(looked(stretch_of(values), only_rises=True)) == []
    assert [start for start in starts(looked(stretch_of(values))) if start > 2 * CYCLE] == []


def test_vibration_that_rises_while_it_runs_is_odd_although_it_stops_now_and_then() -> None:
    _, values, _ = cycles(seed=17)
    first = 45 * CYCLE + START + 13
    values[first : first + 8] += 4.0
    assert first <= starts(looked(stretch_of(values), only_rises=True))[0] <= first + 3


def test_a_limit_is_a_limit_however_often_it_is_passed() -> None:
    values = shifts(9)
    assert len(starts(looked(stretch_of(values, limits=Limits(alarm_high=55.0))))) >= 9


def test_a_sensor_that_is_stuck_every_night_is_stuck() -> None:
    values = shifts(9)
    values[-DAY:][40:80] = 60.0
    assert starts(looked(stretch_of(values)))[-1] >= 8 * DAY + 40


def test_a_row_is_looked_at_the_same_in_any_batch() -> None:
    _, values, _ = cycles(seed=23)
    whole = looked(stretch_of(values))
    for first in (700, 1301, 1777):
        part = looked(stretch_of(values, first))
        np.testing.assert_array_equal(part.scores, whole.scores[first:])
        assert set(part.looks) == {row - first for row in whole.looks if row >= first}


@pytest.mark.parametrize("rung", ["statistical", "local", "champion"])
def test_a_score_can_be_computed_again_by_the_same_look(rung: str) -> None:
    _, values, _ = cycles(seed=31)
    values[45 * CYCLE + START + 13 :][:8] += 4.0
    champion = fit_local(np.random.default_rng(1).normal(0, 1, (200, 11)))
    policy = replace(POLICY, local_rows=10**6) if rung == "statistical" else POLICY
    stretch = stretch_of(values)
    scored = score_stretches([stretch], champion if rung == "champion" else None, policy)[0]
    past = Past.of(stretch.series, only_rises=True)
    again = look.look_again([Asked(stretch, scored, past, policy)])[0]
    rows = [
        row
        for row in again.looks
        if again.scores[row] > 0 and again.serving[row] == RUNGS.index(rung)
    ]
    assert rows
    for row in rows[-3:]:
        one = stretch_of(values[: row + 1], row)
        stated = Look.of(again.looks[row].as_dict())
        found = look.score_again(one, rung, champion, policy, stated)
        assert found == pytest.approx(again.scores[row], abs=1e-9)


def test_a_look_survives_its_receipt() -> None:
    for one in (Look(), Look(young=True), Look(Modes(1.5, 9.0)), Look(Modes(1.5, 9.0), young=True)):
        assert Look.of(one.as_dict()) == one
    assert Look.of(None) == Look()

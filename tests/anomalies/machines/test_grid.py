"""The grid follows from the readings before it, and what is missing stays missing."""

from __future__ import annotations

import numpy as np
import pytest

from anomalies.machines.grid import KNOWN_ROWS, MOST_SENSORS, Era, Member, closed, eras, table

NOON = np.datetime64("2026-03-01T12:00", "us")


def after(seconds: float) -> np.datetime64:
    return NOON + np.timedelta64(int(seconds * 1e6), "us")


def member(sensor: int, interval_s: float, since_s: float = 0.0) -> Member:
    return Member(sensor, after(since_s), interval_s)


def test_a_sensor_is_known_by_its_first_readings_alone() -> None:
    times = NOON + np.arange(200) * np.timedelta64(60, "s")
    assert Member.of(7, times[: KNOWN_ROWS - 1]) is None
    assert Member.of(7, times[:KNOWN_ROWS]) == Member.of(7, times)
    assert Member.of(7, times) == Member(7, times[KNOWN_ROWS - 1], 60.0)


def test_the_slowest_sensor_sets_the_pace() -> None:
    (era,) = eras([member(1, 60.2), member(2, 299.0), member(3, 61.0)])
    assert (era.step_s, era.sensors) == (300, (1, 2, 3))


def test_one_sample_a_day_does_not() -> None:
    (era,) = eras([member(1, 60.0), member(2, 60.0), member(3, 86_400.0)])
    assert (era.step_s, era.sensors) == (60, (1, 2))


def test_one_sensor_is_no_machine() -> None:
    assert eras([]) == eras([member(1, 60.0)]) == ()
    assert eras([member(1, 60.0), member(2, 86_400.0)]) == ()


def test_an_era_uses_no_sensor_that_is_known_only_later() -> None:
    first, second = eras([member(1, 60.0), member(2, 60.0), member(3, 60.0, 7_230.0)])
    assert (first.sensors, second.sensors) == ((1, 2), (1, 2, 3))
    assert first.begin < after(60)
    assert after(7_230) < second.begin <= after(7_290)


def test_a_sensor_that_stays_out_begins_no_era() -> None:
    assert len(eras([member(1, 60.0), member(2, 60.0), member(3, 86_400.0, 99.0)])) == 1


def test_no_more_sensors_are_compared_than_memory_is_stated_for() -> None:
    (era,) = eras([member(number, 60.0) for number in range(MOST_SENSORS + 5)])
    assert era.sensors == tuple(range(MOST_SENSORS))


def test_every_sensor_that_still_speaks_is_waited_for() -> None:
    era = Era(NOON, 60, (1, 2))
    assert closed([after(600), after(430)], era) == after(420)
    assert closed([after(600), after(299)], era) == after(600)


@pytest.mark.parametrize("phases", [[0, 0, 0], [590, 1, 598], [0, 200, 400], [299, 301, 7]])
def test_readings_that_waver_about_their_time_lie_in_one_row_each(phases: list[int]) -> None:
    rng, slots = np.random.default_rng(3), NOON + np.arange(500) * np.timedelta64(600, "s")
    sent = [
        slots + (1e6 * (phase + rng.normal(0, 4, 500))).astype("timedelta64[us]")
        for phase in phases
    ]
    members = [Member.of(number, times) for number, times in enumerate(sent)]
    (era,) = eras([one for one in members if one])[-1:]
    for times in sent:
        rows = [era.row_of(time) for time in times[times >= era.begin]]
        assert (np.diff(rows) == era.step).all()


def test_what_is_missing_is_not_zero_and_where_nobody_spoke_is_no_row() -> None:
    era = Era(NOON, 60, (3, 8))
    sensors, times = np.array([3, 8, 8]), np.array([after(0), after(0), after(600)])
    rows = table(era, sensors, times, np.array([1.0, 2.0, 5.0]))
    assert rows.times.tolist() == [after(0).item(), after(600).item()]
    np.testing.assert_array_equal(rows.values, [[1.0, 2.0], [np.nan, 5.0]])


@pytest.mark.parametrize("change", [{"step_s": 600}, {"sensors": (3, 9)}, {"begin": after(60)}])
def test_another_grid_has_another_version(change: dict[str, object]) -> None:
    era = {"begin": NOON, "step_s": 60, "sensors": (3, 8)}
    assert Era(**era).version != Era(**{**era, **change}).version  # type: ignore[arg-type]

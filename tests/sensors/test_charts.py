"""The readings' chart: nothing claimed that was not measured, nothing measured lost."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from sensors import charts
from sensors.axes import time_ticks, value_ticks
from sensors.series import Series

START = np.datetime64("2026-03-01T00:00", "us")
MINUTE = np.timedelta64(1, "m")
UTC = ZoneInfo("UTC")


def series(values: list[float], rows: list[int] | None = None) -> Series:
    times = START + np.array(rows if rows is not None else range(len(values))) * MINUTE
    return Series(times, np.array(values), np.ones(len(values)))


def drawn(values: Series, **more: Any) -> str:
    return charts.draw(charts.Chart(values, unit="mm/s", zone=UTC, title="readings", **more))


def line(svg: str) -> str:
    return svg.split('<path class="line" d="')[1].split('"', maxsplit=1)[0]


def test_a_line_is_not_drawn_across_a_gap() -> None:
    whole = drawn(series([1.0, 2.0, 1.0, 2.0, 1.0, 2.0]))
    broken = drawn(series([1.0, 2.0, 1.0, 2.0, 1.0, 2.0], rows=[0, 1, 2, 90, 91, 92]))
    assert line(whole).count("M") == 1
    assert line(broken).count("M") == 2


def test_a_reading_alone_between_gaps_is_a_dot() -> None:
    svg = drawn(series([1.0, 2.0, 1.0, 5.0, 1.0, 2.0, 1.0], rows=[0, 1, 2, 50, 100, 101, 102]))
    assert svg.count('class="dot line"') == 1


def test_the_extremes_survive_thinning() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=60_000)
    values[[12_345, 45_678]] = 30.0, -40.0
    many = series(list(values))
    rows = charts.thinned(many, 900)
    assert {12_345, 45_678} <= set(rows.tolist())
    assert len(rows) <= 3600
    assert (np.diff(rows) > 0).all()


def test_thinned_readings_are_one_line() -> None:
    assert line(drawn(series(list(np.sin(np.arange(20_000.0)))))).count("M") == 1


def test_nothing_and_nothing_finite_are_said_in_words() -> None:
    assert "No readings" in drawn(series([]))
    assert "No readings" in drawn(series([float("nan")]))


def test_one_reading_and_a_flat_line_can_be_drawn() -> None:
    for svg in (drawn(series([5.0])), drawn(series([5.0] * 9)), drawn(series([0.0] * 9))):
        assert "nan" not in svg
        assert "inf" not in svg


def test_what_is_written_into_a_chart_is_escaped() -> None:
    hostile = "<script>alert(1)</script>"
    svg = charts.draw(
        charts.Chart(
            series([1.0, 2.0]),
            unit=hostile,
            zone=UTC,
            title=f'"{hostile}',
            levels=[charts.Level(1.5, hostile)],
            stretches=[charts.Stretch(START, START + MINUTE, hostile)],
        )
    )
    assert hostile not in svg
    assert svg.count("&lt;script&gt;") >= 4


def test_an_alarm_limit_far_away_is_named_and_does_not_flatten_the_readings() -> None:
    svg = drawn(series([1.0, 2.0, 3.0]), levels=[charts.Level(500.0, "alarm high")])
    assert "▲ alarm high 500 mm/s" in svg
    assert 'class="level"' not in svg


def test_a_stretch_outside_the_range_is_not_drawn() -> None:
    before = charts.Stretch(START - 9 * MINUTE, START - 8 * MINUTE, "earlier")
    assert "earlier" not in drawn(series([1.0, 2.0]), stretches=[before])


def test_time_ticks_follow_the_clock_of_the_site_over_a_change_to_summer_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = np.datetime64("2026-03-28T20:00", "us")
    ticks = time_ticks(first, first + np.timedelta64(12, "h"), berlin)
    assert [label for _, label in ticks][:3] == ["28 Mar 22:00", "29 Mar 00:00", "02:00"]
    assert all(first <= moment <= first + np.timedelta64(12, "h") for moment, _ in ticks)


def test_value_ticks_stay_within_their_range_at_any_scale() -> None:
    for scale in (1e-12, 1e-3, 1.0, 1e6, 1e300):
        ticks = value_ticks(-1.3 * scale, 2.7 * scale)
        assert 3 <= len(ticks) <= 8
        assert all(-1.3 * scale <= tick <= 2.7 * scale for tick in ticks)

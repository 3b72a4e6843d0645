"""Readings as an SVG chart: arrays in, text out. Pure.

Colours are classes of static/smartmaint/admin.css, so a chart follows the theme of its page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from zoneinfo import ZoneInfo

import numpy as np

from sensors.axes import Frame, padded, time_ticks, value_ticks
from sensors.presentation import local, number, quantity
from sensors.series import FloatArray, Series, TimeArray, to_datetime

WIDTH, HEIGHT = 960, 330
LEFT, RIGHT, TOP, BOTTOM = 58, 944, 26, 296
GAP_FACTOR = 3.5
MOST_TOOLTIPS = 400
# A level further from the readings than this many of their ranges is named at the edge instead.
REACH = 0.8


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line, such as an alarm limit, in the unit of the readings."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A range of time to shade. `style` is the class that colours it."""

    first: np.datetime64
    last: np.datetime64
    label: str
    style: str = "stretch"


@dataclass(frozen=True, slots=True)
class Band:
    """What was expected: times (n,), low (n,), high (n,), in the unit of the readings."""

    times: TimeArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class Chart:
    """What to draw: readings of one sensor and what is to be seen in them.

    until: the time that the chart goes on to, readings or not. ahead: what is expected after the
    readings.
    """

    series: Series
    unit: str
    zone: ZoneInfo
    title: str
    levels: list[Level] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    band: Band | None = None
    until: np.datetime64 | None = None
    ahead: Series | None = None
    peak: tuple[np.datetime64, float] | None = None


def draw(chart: Chart) -> str:
    """The chart as one <svg> element; every text in it is escaped."""
    series = _finite(chart.series)
    if len(series) == 0:
        return '<p class="empty-chart">No readings in this range.</p>'
    frame = frame_of(chart, series)
    kept = series_at(series, thinned(series, int(RIGHT - LEFT)))
    gap = gap_of(series.times)
    seen = [s for s in chart.stretches if s.last >= frame.first and s.first <= frame.last]
    parts = [
        _grid(frame, chart.unit, chart.zone),
        *(_stretch(frame, stretch) for stretch in seen),
        _band(frame, chart.band),
        *(_level(frame, level, chart.unit) for level in chart.levels),
        _line(frame, kept, gap, "line"),
        *(_line(frame, _within(kept, s), gap, "line marked") for s in seen if s.style == "stretch"),
        _line(frame, chart.ahead, gap_of(chart.ahead.times), "line ahead") if chart.ahead else "",
        _peak(frame, chart.peak, chart.unit),
        _tooltips(frame, kept, chart),
    ]
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(chart.title)}" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(parts)}</svg>"
    )


def frame_of(chart: Chart, series: Series) -> Frame:
    """The frame that holds the readings, the band, the peak and the levels near to them."""
    shown = [series.values]
    if chart.peak is not None:
        shown.append(np.array([chart.peak[1]]))
    if chart.band is not None:
        shown += [chart.band.low, chart.band.high]
    if chart.ahead is not None:
        shown.append(chart.ahead.values)
    values = np.concatenate(shown)
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    reach = (high - low) * REACH
    near = [v.value for v in chart.levels if low - reach <= v.value <= high + reach]
    low, high = padded(min([low, *near]), max([high, *near]))
    first, last = series.times[0], series.times[-1]
    if chart.until is not None:
        last = max(last, chart.until)
    if chart.ahead is not None:
        last = max(last, chart.ahead.times[-1])
    if first == last:
        first, last = first - np.timedelta64(1, "m"), last + np.timedelta64(1, "m")
    return Frame(LEFT, RIGHT, TOP, BOTTOM, first, last, low, high)


def thinned(series: Series, columns: int) -> np.ndarray:
    """Rows to draw when there are more than a screen can show: of each of `columns` slices of time
    the first, the lowest, the highest and the last, so no spike is lost.

    >>> times = np.datetime64("2026-01-01", "us") + np.arange(10_000) * np.timedelta64(1, "s")
    >>> values = np.zeros(10_000)
    >>> values[4_321] = 9.0
    >>> rows = thinned(Series(times, values, np.ones(10_000)), 100)
    >>> len(rows) <= 400, 4_321 in rows
    (True, True)
    """
    n = len(series)
    if n <= 2 * columns:
        return np.arange(n)
    whole = (series.times[-1] - series.times[0]) / np.timedelta64(1, "us")
    place = (series.times - series.times[0]) / np.timedelta64(1, "us") / whole
    column = np.minimum((place * columns).astype(int), columns - 1)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], n) - 1
    by_value = np.lexsort((series.values, column))
    return np.unique(np.concatenate([starts, ends, by_value[starts], by_value[ends]]))


def gap_of(times: TimeArray) -> np.timedelta64:
    """The pause between readings beyond which a line would claim what was not measured."""
    if len(times) < 3:
        return np.timedelta64(365 * 86_400, "s")
    return np.timedelta64(int(np.median(np.diff(times)).astype(int) * GAP_FACTOR) + 1, "us")


def series_at(series: Series, rows: np.ndarray) -> Series:
    return Series(series.times[rows], series.values[rows], series.quality[rows])


def _finite(series: Series) -> Series:
    return series_at(series, np.flatnonzero(np.isfinite(series.values)))


def _within(series: Series, stretch: Stretch) -> Series:
    inside = (series.times >= stretch.first) & (series.times <= stretch.last)
    return series_at(series, np.flatnonzero(inside))


def _line(frame: Frame, series: Series, gap: np.timedelta64, style: str) -> str:
    """The readings as one path, lifted at gaps; a reading alone between gaps becomes a dot."""
    if len(series) == 0:
        return ""
    xs, ys = frame.x(series.times), frame.y(series.values)
    # Thinned rows lie further apart than the readings did: a gap is one in both senses.
    spacing = (frame.last - frame.first) / int(RIGHT - LEFT) * 2
    fresh = np.diff(series.times, prepend=series.times[0] - 2 * max(gap, spacing)) > max(
        gap, spacing
    )
    steps = [
        f"{'M' if new else 'L'}{x:.1f} {y:.1f}" for x, y, new in zip(xs, ys, fresh, strict=True)
    ]
    alone = fresh & np.append(fresh[1:], True)
    dots = [_dot(x, y, 1.8, style) for x, y in zip(xs[alone], ys[alone], strict=True)]
    return f'<path class="{style}" d="{"".join(steps)}"/>{"".join(dots)}'


def _dot(x: float, y: float, radius: float, style: str) -> str:
    return f'<circle class="dot {style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'


def _grid(frame: Frame, unit: str, zone: ZoneInfo) -> str:
    parts = []
    for value in value_ticks(frame.low, frame.high):
        y = float(frame.y(np.array([value]))[0])
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f"{_text('tick', LEFT - 8, y + 4, 'end', number(value))}"
        )
    for moment, label in time_ticks(frame.first, frame.last, zone):
        x = float(frame.x(np.array([moment]))[0])
        anchor = "start" if x < LEFT + 20 else "end" if x > RIGHT - 20 else "middle"
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{BOTTOM}" y2="{BOTTOM + 4}"/>'
            f"{_text('tick', x, BOTTOM + 18, anchor, label)}"
        )
    name = to_datetime(frame.first).astimezone(zone).tzname() or ""
    return (
        f'{"".join(parts)}<line class="axis" x1="{LEFT}" x2="{RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/>'
        f"{_text('unit', LEFT - 8, TOP - 12, 'end', unit)}"
        f"{_text('unit', RIGHT, BOTTOM + 32, 'end', name)}"
    )


def _stretch(frame: Frame, stretch: Stretch) -> str:
    ends = np.clip(frame.x(np.array([stretch.first, stretch.last])), LEFT, RIGHT)
    middle, width = float(ends.mean()), max(float(ends[1] - ends[0]), 5.0)
    return (
        f'<rect class="{escape(stretch.style)}" x="{middle - width / 2:.1f}" y="{TOP}" '
        f'width="{width:.1f}" height="{BOTTOM - TOP}"><title>{escape(stretch.label)}</title></rect>'
    )


def _band(frame: Frame, band: Band | None) -> str:
    if band is None:
        return ""
    known = np.isfinite(band.low) & np.isfinite(band.high)
    xs = frame.x(band.times[known])
    upper = [f"{x:.1f},{y:.1f}" for x, y in zip(xs, frame.y(band.high[known]), strict=True)]
    lower = [f"{x:.1f},{y:.1f}" for x, y in zip(xs, frame.y(band.low[known]), strict=True)]
    points = " ".join(upper + lower[::-1])
    return f'<polygon class="band" points="{points}"><title>expected</title></polygon>'


def _level(frame: Frame, level: Level, unit: str) -> str:
    text = f"{level.label} {quantity(level.value, unit)}"
    if level.value > frame.high:
        return _text("level-name", RIGHT - 4, TOP + 12, "end", f"▲ {text}")
    if level.value < frame.low:
        return _text("level-name", RIGHT - 4, BOTTOM - 6, "end", f"▼ {text}")
    y = float(frame.y(np.array([level.value]))[0])
    return (
        f'<line class="level" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f"{_text('level-name', RIGHT - 4, y - 5, 'end', text)}"
    )


def _peak(frame: Frame, peak: tuple[np.datetime64, float] | None, unit: str) -> str:
    if peak is None:
        return ""
    x, y = float(frame.x(np.array([peak[0]]))[0]), float(frame.y(np.array([peak[1]]))[0])
    anchor, shift = ("end", -10) if x > (LEFT + RIGHT) / 2 else ("start", 10)
    return (
        f'<circle class="peak" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        f"{_text('peak-name', x + shift, max(y - 8, TOP - 4), anchor, quantity(peak[1], unit))}"
    )


def _tooltips(frame: Frame, series: Series, chart: Chart) -> str:
    """Targets for the pointer that name time and value, while there are few enough of them."""
    if len(series) > MOST_TOOLTIPS:
        return ""
    spots = zip(
        frame.x(series.times), frame.y(series.values), series.times, series.values, strict=True
    )
    return "".join(
        f'<circle class="spot" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>'
        f"{escape(_words(t, v, chart))}</title></circle>"
        for x, y, t, v in spots
    )


def _words(time: np.datetime64, value: float, chart: Chart) -> str:
    moment = local(to_datetime(time), chart.zone, seconds=True)
    return f"{moment} · {quantity(float(value), chart.unit)}"


def _text(style: str, x: float, y: float, anchor: str, text: str) -> str:
    return (
        f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )

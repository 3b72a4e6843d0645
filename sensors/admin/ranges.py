"""What the page of a sensor shows: its readings over a range, and its profile in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from django.utils.safestring import SafeString, mark_safe

from sensors import charts
from sensors.models import Reading, Sensor, SensorProfile
from sensors.presentation import DASH, duration, local, number, quantity, span, zone_of
from sensors.series import Series, to_datetime64

NEWEST = 500
# More rows than this make a page slow and a chart no better.
MOST_ROWS = 50_000
RANGES: dict[str, tuple[str, timedelta | None]] = {
    "": (f"last {NEWEST}", None),
    "1h": ("hour", timedelta(hours=1)),
    "6h": ("6 hours", timedelta(hours=6)),
    "24h": ("day", timedelta(days=1)),
    "7d": ("week", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "365d": ("year", timedelta(days=365)),
}


@dataclass(frozen=True, slots=True)
class SensorView:
    chart: SafeString
    caption: str
    ranges: list[tuple[str, str, bool]]
    facts: list[tuple[str, str]] = field(default_factory=list)


def sensor_view(
    sensor: Sensor, chosen: str, stretches: Sequence[charts.Stretch] = ()
) -> SensorView:
    """A range that is not offered shows the newest readings; stretches of time are marked."""
    chosen = chosen if chosen in RANGES else ""
    profile: SensorProfile | None = getattr(sensor, "profile", None)
    series = readings_of(sensor.pk, profile, RANGES[chosen][1])
    return SensorView(
        chart=mark_safe(charts.draw(chart_of(sensor, series, stretches))),  # noqa: S308  escapes its texts
        caption=caption(sensor, series),
        ranges=[(key, name, key == chosen) for key, (name, _) in RANGES.items()],
        facts=facts(sensor, profile),
    )


def readings_of(sensor_id: int, profile: SensorProfile | None, length: timedelta | None) -> Series:
    """The newest readings, or those of a range that ends with the newest one."""
    if profile is None or profile.last_time is None:
        return Series.of([])
    after_last = profile.last_time + timedelta(microseconds=1)
    if length is None:
        return Reading.objects.before(sensor_id, after_last, NEWEST)
    newest = Reading.objects.before(sensor_id, after_last, MOST_ROWS)
    return newest[np.searchsorted(newest.times, to_datetime64(profile.last_time - length)) :]


def levels_of(sensor: Sensor) -> list[charts.Level]:
    limits = {
        "alarm low": sensor.alarm_low,
        "alarm high": sensor.alarm_high,
    }
    return [charts.Level(value, name) for name, value in limits.items() if value is not None]


def chart_of(sensor: Sensor, series: Series, stretches: Sequence[charts.Stretch]) -> charts.Chart:
    return charts.Chart(
        series=series,
        unit=sensor.unit,
        zone=zone_of(sensor.site.timezone),
        title=f"{len(series)} readings of {sensor.external_id}",
        levels=levels_of(sensor),
        stretches=list(stretches),
    )


def caption(sensor: Sensor, series: Series) -> str:
    if len(series) == 0:
        return "Nothing was measured in this range."
    text = (
        f"{len(series):,} readings, {number(series.values.min())} {DASH} "
        f"{quantity(series.values.max(), sensor.unit)}. Times of {sensor.site}."
    )
    return f"{text} Only the newest {MOST_ROWS:,} are drawn." if len(series) == MOST_ROWS else text


def facts(sensor: Sensor, profile: SensorProfile | None) -> list[tuple[str, str]]:
    """The profile and the limits, as (name, text)."""
    limits = [
        ("alarm limits", span(sensor.alarm_low, sensor.alarm_high, sensor.unit)),
        ("physical limits", span(sensor.physical_min, sensor.physical_max, sensor.unit)),
    ]
    if profile is None or profile.last_time is None:
        return limits
    zone = zone_of(sensor.site.timezone)
    deviation = None if profile.variance is None else math.sqrt(profile.variance)
    usual = sensor.expected_interval_s or profile.interval_s
    return [
        ("latest", quantity(profile.last_value, sensor.unit)),
        ("measured", local(profile.last_time, zone, seconds=True)),
        ("mean", f"{number(profile.mean)} ± {quantity(deviation, sensor.unit)}"),
        ("seen", span(profile.minimum, profile.maximum, sensor.unit)),
        ("interval", DASH if usual is None else duration(timedelta(seconds=usual))),
        ("quality", f"{profile.quality_mean:.2f}"),
        ("readings", f"{profile.count:,}"),
        ("since", local(profile.first_time, zone) if profile.first_time else DASH),
        *limits,
    ]

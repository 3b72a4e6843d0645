"""What the page of a sensor shows: its readings over a range, and its profile in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from sensors import buckets, charts, rhythms
from sensors.models import Reading, Sensor, SensorProfile
from sensors.presentation import DASH, duration, local, number, quantity, span, zone_of
from sensors.series import Series, to_datetime

NEWEST = 500
# A chart is about this many dots wide; more slices would not be seen.
MOST_POINTS = 900
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
    span: tuple[datetime, datetime] | None = None
    facts: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn of a range, how many readings it stands for, and how wide its slices are."""

    series: Series
    readings: int
    slice_width: timedelta | None = None


def sensor_view(
    sensor: Sensor, chosen: str, stretches: Sequence[charts.Stretch] = ()
) -> SensorView:
    """A range that is not offered shows the newest readings; stretches of time are marked."""
    chosen = chosen if chosen in RANGES else ""
    profile: SensorProfile | None = getattr(sensor, "profile", None)
    drawn = readings_of(sensor, profile, RANGES[chosen][1])
    return SensorView(
        chart=mark_safe(charts.draw(chart_of(sensor, drawn, stretches))),  # noqa: S308  escapes its texts
        caption=caption(sensor, drawn),
        ranges=[(key, name, key == chosen) for key, (name, _) in RANGES.items()],
        facts=facts(sensor, profile),
        span=_span(drawn.series),
    )


def _span(drawn: Series) -> tuple[datetime, datetime] | None:
    """From the first to the last that is drawn."""
    if not len(drawn):
        return None
    return to_datetime(drawn.times[0]), to_datetime(drawn.times[-1])


def readings_of(sensor: Sensor, profile: SensorProfile | None, length: timedelta | None) -> Drawn:
    """The newest readings, or those of a range that ends with the newest one."""
    if profile is None or profile.last_time is None:
        return Drawn(Series.of([]), 0)
    if length is None:
        after_last = profile.last_time + timedelta(microseconds=1)
        newest = Reading.objects.before(sensor.pk, after_last, NEWEST)
        return Drawn(newest, len(newest))
    last = profile.last_time
    found = buckets.points(sensor, since=last - length, until=last, limit=MOST_POINTS)
    if isinstance(found, buckets.Singles):
        return Drawn(Series(found.times, found.values, found.quality), len(found))
    return Drawn(_extremes(found), int(found.buckets.count.sum()), found.width)


def _extremes(found: buckets.Slices) -> Series:
    """The lowest and the highest value of each slice, at a quarter and three quarters of it."""
    slices, quarter = found.buckets, found.plan.width // 4
    times = np.stack([slices.begins + quarter, slices.begins + 3 * quarter], axis=1).ravel()
    values = np.stack([slices.minimum, slices.maximum], axis=1).ravel()
    return Series(times.astype("datetime64[us]"), values, np.ones(len(values)))


def levels_of(sensor: Sensor) -> list[charts.Level]:
    limits = {
        "alarm low": sensor.alarm_low,
        "alarm high": sensor.alarm_high,
    }
    return [charts.Level(value, name) for name, value in limits.items() if value is not None]


def chart_of(sensor: Sensor, drawn: Drawn, stretches: Sequence[charts.Stretch]) -> charts.Chart:
    return charts.Chart(
        series=drawn.series,
        unit=sensor.unit,
        zone=zone_of(sensor.site.timezone),
        title=f"{drawn.readings} readings of {sensor.external_id}",
        levels=levels_of(sensor),
        stretches=list(stretches),
    )


def caption(sensor: Sensor, drawn: Drawn) -> str:
    values = drawn.series.values
    if len(values) == 0:
        return "Nothing was measured in this range."
    text = (
        f"{drawn.readings:,} readings, {number(values.min())} {DASH} "
        f"{quantity(values.max(), sensor.unit)}. Times of {sensor.site}."
    )
    if drawn.slice_width is None:
        return text
    return f"{text} Drawn: the lowest and the highest of each {duration(drawn.slice_width)}."


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
        *rhythm_facts(sensor),
        *limits,
    ]


def rhythm_facts(sensor: Sensor) -> list[tuple[str, str]]:
    """How it speaks, of its newest readings; nothing below two of them."""
    found = rhythms.newest(sensor, now=timezone.now())
    if found is None:
        return []
    usual, longest = (duration(timedelta(seconds=s)) for s in (found.interval_s, found.longest_s))
    gaps = "none"
    if found.gap_s is not None:
        gaps = f"{found.gaps} of {duration(timedelta(seconds=found.gap_s))} each"
    return [
        ("rhythm", f"every {usual}, {longest} at most"),
        ("gaps", f"{gaps} in {found.readings} readings"),
        ("noise floor", quantity(found.noise, sensor.unit)),
    ]

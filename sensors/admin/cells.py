"""Cells of the sensors' lists: values in, safe HTML out."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.html import format_html
from django.utils.safestring import SafeString

from sensors.models import Sensor, SensorProfile
from sensors.presentation import DASH, age, local, quantity, shortened


def two_lines(first: str, second: str, title: str = "") -> SafeString:
    return format_html(
        '<div class="two" title="{}"><span>{}</span><small>{}</small></div>', title, first, second
    )


def badge(text: str, style: str, title: str = "") -> SafeString:
    return format_html('<span class="badge {}" title="{}">{}</span>', style, title, text)


def sensor_name(sensor: Sensor) -> SafeString:
    """Its id, and below it the machine and the site."""
    place = " · ".join(str(part) for part in (sensor.asset, sensor.site) if part)
    return two_lines(shortened(sensor.external_id), place, title=sensor.external_id)


def moment(time: datetime | None, zone: ZoneInfo, now: datetime) -> SafeString | str:
    """A time on the site's clock, and below it how long ago."""
    return DASH if time is None else two_lines(local(time, zone), age(time, now))


def latest(sensor: Sensor, now: datetime, *, silent: bool) -> SafeString | str:
    """The newest value and its age; silence is said. silent: a layer above knows."""
    profile: SensorProfile | None = getattr(sensor, "profile", None)
    if profile is None or profile.last_time is None:
        return format_html('<span class="quiet">{}</span>', "no readings yet")
    when = age(profile.last_time, now)
    return format_html(
        '<div class="two"><span class="figure">{}</span><small{}>{}</small></div>',
        quantity(profile.last_value, sensor.unit),
        format_html(' class="{}"', "warn") if silent else "",
        f"silent for {when.removesuffix(' ago')}" if silent else when,
    )


def share_bar(share: float | None, style: str = "") -> SafeString | str:
    """A number in 0..1 as a figure and a small bar."""
    if share is None:
        return DASH
    return format_html(
        '<div class="two"><span class="figure">{}</span><svg class="share {}" viewBox="0 0 100 6" '
        'preserveAspectRatio="none" aria-hidden="true"><rect class="rail" width="100" height="6"/>'
        '<rect class="fill" width="{}" height="6"/></svg></div>',
        f"{share:.2f}",
        style,
        f"{max(0.0, min(1.0, share)) * 100:.1f}",
    )

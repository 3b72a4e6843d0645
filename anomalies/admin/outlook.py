"""What the page of a sensor shows of its forecast."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.utils.safestring import SafeString, mark_safe

from anomalies import presentation
from anomalies.models import Anomaly
from mlops.models import Forecast
from sensors import buckets, charts
from sensors.admin.ranges import levels_of
from sensors.models import Sensor
from sensors.presentation import local, number, quantity, zone_of
from sensors.series import Series, to_datetime64

# Of the past as many times what is ahead.
PAST = 3
MOST_POINTS = 900


@dataclass(frozen=True, slots=True)
class Outlook:
    chart: SafeString
    caption: str
    limits: list[tuple[str, str]]


def outlook(sensor: Sensor) -> Outlook | None:
    """The newest forecast as a chart and in words; None before the first."""
    made = Forecast.objects.filter(sensor=sensor).first()
    if made is None:
        return None
    zone = zone_of(sensor.site.timezone)
    return Outlook(
        chart=mark_safe(charts.draw(chart_of(sensor, made))),  # noqa: S308  escapes its texts
        caption=f"From {local(made.as_of, zone)}, by {made.model}: {made.record['sentence']}",
        limits=[_limit(sensor, each) for each in made.estimates],
    )


def chart_of_prediction(anomaly: Anomaly) -> SafeString | None:
    """The forecast that a prediction goes by; None when it is kept no more."""
    made = Forecast.objects.filter(sensor=anomaly.sensor, as_of=anomaly.peak).first()
    if made is None:
        return None
    return mark_safe(charts.draw(chart_of(anomaly.sensor, made)))  # noqa: S308  escapes its texts


def ahead(anomaly: Anomaly) -> list[tuple[str, str]]:
    """Of a prediction: what is foreseen and by whom, as (name, text)."""
    if not presentation.is_predicted(anomaly):
        return []
    told = anomaly.explanation["predicted"]
    return [
        _limit(anomaly.sensor, told),
        ("forecast by", told["forecaster"]),
        ("in the past", told["record"]),
        ("how likely", number(anomaly.score, 2)),
    ]


def chart_of(sensor: Sensor, made: Forecast) -> charts.Chart:
    """The mean of the past, what is expected, and its band."""
    step = np.timedelta64(made.step_s * 1_000_000, "us")
    middle = to_datetime64(made.as_of) + step // 2 + step * np.arange(made.horizon)
    return charts.Chart(
        series=_past(sensor, made),
        unit=sensor.unit,
        zone=zone_of(sensor.site.timezone),
        title=f"Forecast of {sensor.external_id}",
        levels=levels_of(sensor),
        band=charts.Band(middle, np.array(made.low), np.array(made.high)),
        ahead=Series(middle, np.array(made.mean), np.ones(made.horizon)),
    )


def _past(sensor: Sensor, made: Forecast) -> Series:
    length = timedelta(seconds=made.step_s) * made.horizon * PAST
    last = made.as_of - timedelta(microseconds=1)
    found = buckets.points(sensor, since=made.as_of - length, until=last, limit=MOST_POINTS)
    if isinstance(found, buckets.Singles):
        return Series(found.times, found.values, found.quality)
    begins = found.buckets.begins + found.plan.width // 2
    mean = found.buckets.mean
    return Series(begins.astype("datetime64[us]"), mean, np.ones(len(mean)))


def _limit(sensor: Sensor, told: dict[str, Any]) -> tuple[str, str]:
    name = f"{told['limit'].replace('_', ' ')} {quantity(float(told['value']), sensor.unit)}"
    if "at" not in told:
        return name, f"no estimate: {told['reason']}"
    zone = zone_of(sensor.site.timezone)

    def on(key: str) -> str:
        return local(datetime.fromisoformat(told[key]), zone) if told[key] else "later than shown"

    return name, f"is met on {on('at')} ({on('earliest')} to {on('latest')})"

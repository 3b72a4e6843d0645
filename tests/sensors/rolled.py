"""Readings as the roll-up tests put them there, and the roll-ups as plain Python has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

import numpy as np
from django.db import transaction

from sensors import levels
from sensors.acquisition import ingest
from sensors.formats import Batch
from sensors.minutes import minutes_of
from sensors.models import HourRollup, Reading, Sensor
from sensors.quality import Flag
from sensors.series import to_datetime64
from tests.factories import NOW

Row = tuple[datetime, float, float, int]


def send(
    sensor: Sensor,
    rows: Iterable[tuple[datetime, float]],
    *,
    now: datetime = NOW + timedelta(days=3),
) -> None:
    """Readings by way of the acquisition agent, notes and all."""
    times, values = zip(*rows, strict=True)
    batch = Batch.of(
        [sensor.external_id] * len(times),
        np.array([to_datetime64(time) for time in times]),
        np.array(values, dtype=float),
    )
    ingest(batch, site=sensor.site, source="test", now=now)


def readings_of(sensor: Sensor) -> list[Row]:
    rows = Reading.objects.filter(sensor=sensor).order_by("time")
    return list(rows.values_list("time", "value", "quality", "flags"))


def hour_of(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def plain(rows: list[Row]) -> dict[str, Any]:
    """What a bucket with these readings is to hold."""
    values = [value for _, value, _, _ in rows]
    return {
        "count": len(rows),
        "minimum": min(values),
        "maximum": max(values),
        "mean": fmean(values),
        "last": values[-1],
        "quality": fmean(quality for *_, quality, _ in rows),
        "flags": [sum(bool(flags & flag) for *_, flags in rows) for flag in Flag],
    }


def agree(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether a bucket is as expected: sums may round differently, nothing else may."""
    inexact = {
        "mean": 1e-12 * max(abs(expected["minimum"]), abs(expected["maximum"])),
        "quality": 1e-6,
    }
    return found.keys() == expected.keys() and all(
        abs(found[name] - value) <= inexact[name] if name in inexact else found[name] == value
        for name, value in expected.items()
    )


def expected_hours(sensor: Sensor) -> dict[datetime, dict[str, Any]]:
    buckets = defaultdict(list)
    for row in readings_of(sensor):
        buckets[hour_of(row[0])].append(row)
    return {time: plain(rows) for time, rows in buckets.items()}


def expected_minutes(sensor: Sensor) -> dict[datetime, dict[str, Any]]:
    buckets = defaultdict(list)
    for row in readings_of(sensor):
        buckets[row[0].replace(second=0, microsecond=0)].append(row)
    return {time: plain(rows) for time, rows in buckets.items()}


def stored_hours(sensor: Sensor) -> dict[datetime, dict[str, Any]]:
    return {
        hour.time: {
            "count": hour.count,
            "minimum": hour.minimum,
            "maximum": hour.maximum,
            "mean": hour.mean,
            "last": hour.last,
            "quality": hour.quality_mean,
            "flags": hour.flag_counts,
        }
        for hour in HourRollup.objects.filter(sensor=sensor)
    }


def stored_minutes(sensor: Sensor, *hours: datetime) -> dict[datetime, dict[str, Any]]:
    """The minutes of the hours that have readings, or of these."""
    every = sorted(hours or stored_hours(sensor))
    at = minutes_of(np.array([to_datetime64(hour) for hour in every], "datetime64[us]"))
    with transaction.atomic():
        found = levels.stored(np.full(len(at), sensor.pk), at)
    return {
        time: {
            **{name: record[name].item() for name in _NAMES},
            "flags": flags,
        }
        for time, record, flags in zip(
            levels.datetimes(found.records["minute"].astype(np.int64)),
            found.records,
            found.flags.tolist(),
            strict=True,
        )
    }


_NAMES = ("count", "minimum", "maximum", "mean", "last", "quality")


def everything(sensor: Sensor) -> tuple[Any, Any]:
    """Both levels to the last bit."""
    return stored_hours(sensor), stored_minutes(sensor)

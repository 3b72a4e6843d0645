"""One Sparkplug metric as a row, as a reason why it is none, or as something to ignore. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sensors.formats import ascii_json
from sensors.mqtt.content import Content, refused
from sensors.mqtt.sparkplug import Metric, Payload, SparkplugError, Topic, is_control, number
from sensors.rows import MAX_SENSOR, MAX_UNIT

# The last millisecond of the year 9999, from where on ISO 8601 has more digits.
_LAST_MS = 253_402_300_799_999


class Unresolved(LookupError):
    """The metric means nothing without the birth certificate, which is not there."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a birth certificate said of a metric. datatype: 0 when nothing."""

    name: str
    datatype: int
    unit: str | None


def add_metric(
    content: Content,
    topic: Topic,
    payload: Payload,
    metric: Metric,
    known: Mapping[str | int, Known],
    arrived: str,
) -> None:
    """Put the metric where it belongs in `content`. Raises Unresolved.

    known: of the metric's device, by name and by alias. arrived: the time of a metric without one.
    """
    if reason := _ignorable(metric):
        content.ignored[reason] += 1
        return
    stated = _stated(metric, known)
    if is_control(stated.name):
        content.ignored["control"] += 1
        return
    try:
        value = number(metric.field, metric.raw, stated.datatype)
        time = _time(metric, payload)
    except SparkplugError as error:
        content.rejected.append(
            refused(error.code, str(error), _kept(topic, metric), sensor=_sensor(topic, stated))
        )
        return
    if value is None:
        content.ignored["not a number"] += 1
    else:
        _add_row(content, metric, _sensor(topic, stated), time, arrived, value, stated.unit)


def add_unresolved(content: Content, topic: Topic, metric: Metric, reason: str) -> None:
    content.rejected.append(
        refused("birth_unknown", reason, _kept(topic, metric), sensor=topic.place[:MAX_SENSOR])
    )


def _ignorable(metric: Metric) -> str | None:
    if metric.is_null:
        return "null"
    if metric.is_transient:
        return "transient"
    if metric.name is not None and is_control(metric.name):
        return "control"
    return None if metric.is_number else "not a number"


def _stated(metric: Metric, known: Mapping[str | int, Known]) -> Known:
    """Name, datatype and unit of the metric: its own, else those of its birth."""
    if metric.name is not None:
        born = known.get(metric.name)
    else:
        born = None if metric.alias is None else known.get(metric.alias)
    if born is None and metric.needs_birth:
        what = f"alias {metric.alias}" if metric.name is None else f"the datatype of {metric.name}"
        raise Unresolved(f"no birth certificate tells {what}, and asking for one brought none")
    name = metric.name if metric.name is not None else (born.name if born else "")
    return Known(
        name,
        metric.datatype or (born.datatype if born else 0),
        metric.unit or (born.unit if born else None),
    )


def _sensor(topic: Topic, stated: Known) -> str:
    return f"{topic.place}/{stated.name}"


def _time(metric: Metric, payload: Payload) -> str | None:
    ms = payload.time_ms if metric.time_ms is None else metric.time_ms
    if ms is None:
        return None
    if ms > _LAST_MS:
        raise SparkplugError("time_invalid", f"{ms} ms is after the year 9999")
    return f"{np.datetime64(ms, 'ms')}Z"


def _add_row(
    content: Content,
    metric: Metric,
    sensor: str,
    time: str | None,
    arrived: str,
    value: float,
    unit: str | None,
) -> None:
    place = len(content.rows)
    row: dict[str, Any] = {"sensor": sensor, "time": time or arrived, "value": value}
    if unit is not None and len(unit) <= MAX_UNIT:
        row["unit"] = unit
    if metric.quality is not None:
        row["quality"] = metric.quality
    content.rows.append(row)
    if time is None:
        content.timeless.append(place)
    if metric.is_historical:
        content.historical.append(place)


def _kept(topic: Topic, metric: Metric) -> str:
    """The metric for quarantine, as far as it was understood."""
    fields = {
        "place": topic.place,
        "name": metric.name,
        "alias": metric.alias,
        "time_ms": metric.time_ms,
        "datatype": metric.datatype or None,
        "value": metric.raw,
    }
    return ascii_json({name: field for name, field in fields.items() if field is not None})

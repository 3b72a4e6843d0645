"""The rules for one reading, and the same rules for whole columns of them. Pure.

`read_row` says what is wrong with a row; `are_sensors` and its like only whether anything is in a
column, and are quick. A test holds them to the same answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from sensors import iso8601
from sensors.kinds import KINDS, OTHER
from sensors.series import FloatArray

MAX_SENSOR = 200
MAX_UNIT = 20
# Squares of values are summed; beyond this the sums leave float8. No instrument measures so much.
MAX_VALUE = 1e100
_KIND_NAMES = frozenset((*KINDS, OTHER.name))
REQUIRED = ("sensor", "time", "value")
# Control characters and lone surrogates: PostgreSQL cannot store some, people cannot see the rest.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NONE = type(None)


class RowError(ValueError):
    """Why a row is no reading."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was not accepted. `index`: its place in the document; `payload`: ASCII JSON."""

    index: int
    category: str
    code: str
    detail: str
    sensor: str
    payload: str


@dataclass(frozen=True, slots=True)
class Row:
    """A well-formed reading; time is datetime64[us], UTC."""

    sensor: str
    time: np.datetime64
    value: float
    quality: float | None
    kind: str | None
    unit: str | None


def read_row(row: Any) -> Row:
    """The row as a reading. Raises RowError naming the first thing that is wrong with it."""
    if not isinstance(row, dict):
        raise RowError("not_an_object", f"a reading is an object, not {_type_name(row)}")
    missing = [name for name in REQUIRED if name not in row]
    if missing:
        raise RowError("missing_field", f"required and not there: {', '.join(missing)}")
    return Row(
        sensor=_sensor(row["sensor"]),
        time=_time(row["time"]),
        value=_value(row["value"]),
        quality=_quality(row.get("quality")),
        kind=_kind(row.get("kind")),
        unit=_unit(row.get("unit")),
    )


def sensor_problem(name: str) -> RowError | None:
    """Why no sensor may have this id; None when one may."""
    try:
        _sensor(name)
    except RowError as error:
        return error
    return None


def sensor_ref(row: Any) -> str:
    """What a bad row calls its sensor, as far as it can be stored and shown."""
    named = row.get("sensor") if isinstance(row, dict) else None
    return _UNPRINTABLE.sub("\ufffd", named[:MAX_SENSOR]) if isinstance(named, str) else ""


def are_sensors(names: Collection[str]) -> bool:
    """Whether each of the distinct names may be a sensor's; alike for kinds and units."""
    return _are_printable(names, MAX_SENSOR) and all(map(str.strip, names))


def are_kinds(names: Collection[str]) -> bool:
    return _KIND_NAMES.issuperset(map(str.lower, names))


def are_units(names: Collection[str]) -> bool:
    return _are_printable(names, MAX_UNIT)


def are_values(values: FloatArray) -> bool:
    """Whether every number may be a reading's; NaN may not."""
    return bool((np.abs(values) <= MAX_VALUE).all())


def are_qualities(reported: FloatArray) -> bool:
    return bool(((reported >= 0) & (reported <= 1)).all())


def _are_printable(texts: Collection[str], at_most: int) -> bool:
    longest = max(map(len, texts), default=0)
    return longest <= at_most and not _UNPRINTABLE.search("".join(texts))


def _sensor(sensor: Any) -> str:
    if not isinstance(sensor, str):
        raise RowError("sensor_invalid", f"sensor must be a string, not {_type_name(sensor)}")
    if not sensor.strip():
        raise RowError("sensor_invalid", "sensor is empty")
    if len(sensor) > MAX_SENSOR:
        raise RowError(
            "sensor_invalid", f"sensor has {len(sensor)} characters; {MAX_SENSOR} are allowed"
        )
    if _UNPRINTABLE.search(sensor):
        raise RowError("sensor_invalid", "sensor has control characters or lone surrogates")
    return sensor


def _time(text: Any) -> np.datetime64:
    if not isinstance(text, str):
        raise RowError(
            "time_invalid",
            f"time must be a string, ISO 8601 with a zone like {iso8601.EXAMPLE}, "
            f"not {_type_name(text)}",
        )
    try:
        return iso8601.parse(text)
    except ValueError as error:
        raise RowError("time_invalid", str(error)) from error


def _value(value: Any) -> float:
    if type(value) not in (int, float):
        raise RowError("value_not_a_number", f"value must be a number, not {_type_name(value)}")
    if not math.isfinite(value):
        raise RowError("value_not_finite", "value must be finite")
    if abs(value) > MAX_VALUE:
        raise RowError("value_out_of_range", f"value must lie within ±{MAX_VALUE:g}")
    return float(value)


def _quality(quality: Any) -> float | None:
    if quality is None:
        return None
    if type(quality) not in (int, float) or not 0 <= quality <= 1:
        raise RowError("quality_invalid", "quality must be a number from 0 to 1")
    return float(quality)


def _kind(kind: Any) -> str | None:
    if kind is None:
        return None
    if not isinstance(kind, str) or kind.lower() not in _KIND_NAMES:
        known = ", ".join(sorted(_KIND_NAMES))
        raise RowError("unknown_kind", f"kind must be one of {known}")
    return kind


def _unit(unit: Any) -> str | None:
    if unit is None:
        return None
    if not isinstance(unit, str) or len(unit) > MAX_UNIT or _UNPRINTABLE.search(unit):
        raise RowError("unit_invalid", f"unit must be a string of at most {MAX_UNIT} characters")
    return unit


def _type_name(value: Any) -> str:
    names = {str: "a string", bool: "a boolean", _NONE: "null", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")

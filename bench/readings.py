"""Readings to measure with: a feed as devices send it, and histories as they lie in the store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import orjson
from django.db import transaction

from sensors import store
from sensors.generator import LAYOUT, as_stored, draw_behaviour, normal_values
from sensors.kinds import kind_named
from sensors.models import Sensor, Site
from sensors.series import FloatArray, TimeArray

# Seeds 1 to 20 are the demo's evaluation's.
SEED = 101
MINUTE = np.timedelta64(60_000_000, "us")
UNTIL = np.datetime64("2026-05-04T00:00", "us")
PLACES = tuple((f"{asset}.{kind}", kind) for _, asset, kinds in LAYOUT for kind in kinds)


def site() -> Site:
    return Site.objects.get_or_create(slug="bench", defaults={"name": "Bench"})[0]


@dataclass(frozen=True, slots=True)
class Sent:
    """One batch: the body of a POST, and the same readings as columns for the limit."""

    body: bytes
    columns: store.Columns


class Feed:
    """Twenty sensors, a reading a minute each, in the order of time; no reading comes twice."""

    def __init__(self, readings: int) -> None:
        minutes = -(-readings // len(PLACES))
        times = UNTIL - MINUTE * np.arange(minutes, 0, -1)
        values = [healthy(kind, times, seed=[SEED, i]) for i, (_, kind) in enumerate(PLACES)]
        self._texts = np.datetime_as_string(times, unit="ms", timezone="UTC").repeat(len(PLACES))
        self._times = times.repeat(len(PLACES))
        self._values = np.stack(values, axis=1).ravel()
        self._at = 0

    def take(self, n: int, *, every_field: bool = False) -> Sent:
        """The next n readings. every_field: with kind, unit and quality too."""
        rows = slice(self._at, self._at + n)
        places = np.arange(rows.start, rows.stop) % len(PLACES)
        values = self._values[rows]
        assert len(values) == n
        self._at += n
        document = [
            {"sensor": PLACES[place][0], "time": text, "value": value}
            for place, text, value in zip(
                places.tolist(), self._texts[rows].tolist(), values.tolist(), strict=True
            )
        ]
        if every_field:
            for row, place in zip(document, places.tolist(), strict=True):
                kind = kind_named(PLACES[place][1])
                row |= {"kind": kind.name, "unit": kind.unit, "quality": 0.98}
        ones, none = np.ones(n), np.zeros(n, np.int16)
        columns = store.Columns(places + 1, self._times[rows], values, ones, none)
        return Sent(orjson.dumps(document), columns)


def healthy(kind: str, times: TimeArray, *, seed: list[int]) -> FloatArray:
    rng = np.random.default_rng(seed)
    return as_stored(kind, normal_values(draw_behaviour(kind, rng), times, rng))


def ten_minutes_apart(n: int) -> TimeArray:
    return UNTIL - 10 * MINUTE * np.arange(n, 0, -1)


def stored(name: str, kind: str, times: TimeArray, values: FloatArray) -> Sensor:
    """A sensor with this history, put there without the acquisition agent: nothing is noted."""
    found = kind_named(kind)
    sensor = Sensor.objects.create(
        site=site(),
        external_id=name,
        kind=kind,
        unit=found.unit,
        physical_min=found.physical_min,
        physical_max=found.physical_max,
    )
    n = len(times)
    ids = np.full(n, sensor.pk)
    with transaction.atomic():
        store.insert(store.Columns(ids, times, values, np.ones(n), np.zeros(n, np.int16)))
    return sensor

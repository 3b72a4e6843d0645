"""Readings to measure with: a feed as devices send it, and histories as they lie in the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
PLACES = tuple((asset, kind) for _, asset, kinds in LAYOUT for kind in kinds)


def site() -> Site:
    return Site.objects.get_or_create(slug="bench", defaults={"name": "Bench"})[0]


@dataclass(frozen=True, slots=True)
class Sent:
    """One batch: names, times as texts and columns, from which each format's body is made."""

    names: list[str]
    texts: list[str]
    columns: store.Columns

    def as_json(self, *, every_field: bool = False) -> bytes:
        """every_field: with kind, unit and quality too."""
        rows: list[dict[str, Any]] = [
            {"sensor": name, "time": text, "value": value} for name, text, value in self._rows()
        ]
        if every_field:
            for row in rows:
                kind = kind_named(row["sensor"].rpartition(".")[2])
                row |= {"kind": kind.name, "unit": kind.unit, "quality": 0.98}
        return orjson.dumps(rows)

    def as_ndjson(self) -> bytes:
        rows = ({"sensor": n, "time": text, "value": value} for n, text, value in self._rows())
        return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)

    def as_csv(self) -> bytes:
        rows = [f"{name},{text},{value!r}\n" for name, text, value in self._rows()]
        return ("sensor,time,value\n" + "".join(rows)).encode()

    def as_lines(self) -> bytes:
        """Line protocol, times in milliseconds."""
        millis = self.columns.times.astype("datetime64[ms]").astype(np.int64).tolist()
        return "\n".join(
            f"reading,sensor={name} value={value!r} {time}"
            for (name, _, value), time in zip(self._rows(), millis, strict=True)
        ).encode()

    def batches(self, n: int) -> Iterator[store.Columns]:
        """The columns of so many rows each."""
        for start in range(0, len(self.columns), n):
            yield self.columns.take(np.arange(start, min(start + n, len(self.columns))))

    def _rows(self) -> Iterator[tuple[str, str, float]]:
        return zip(self.names, self.texts, self.columns.values.tolist(), strict=True)


class Feed:
    """A reading a minute of each sensor, in the order of time; no reading comes twice.

    fleets: of twenty sensors each. until: the time after the last reading.
    """

    def __init__(
        self, readings: int, *, fleets: int = 1, until: np.datetime64 = UNTIL, rng: int = SEED
    ) -> None:
        places = [(f"{asset}-{fleet}", kind) for fleet in range(fleets) for asset, kind in PLACES]
        self.names = [f"{asset}.{kind}" for asset, kind in places]
        minutes = -(-readings // len(places))
        times = until - MINUTE * np.arange(minutes, 0, -1)
        values = [healthy(kind, times, seed=[rng, i]) for i, (_, kind) in enumerate(places)]
        self._texts = np.datetime_as_string(times, unit="ms", timezone="UTC")
        self._times = times
        self._values = np.stack(values, axis=1).ravel()
        self._at = 0

    def take(self, n: int) -> Sent:
        """The next n readings."""
        rows = np.arange(self._at, self._at + n)
        minute, place = np.divmod(rows, len(self.names))
        values = self._values[rows]
        self._at += n
        ones, none = np.ones(n), np.zeros(n, np.int16)
        return Sent(
            [self.names[at] for at in place.tolist()],
            self._texts[minute].tolist(),
            store.Columns(place + 1, self._times[minute], values, ones, none),
        )


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

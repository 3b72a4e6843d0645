"""What is looked at around anomalies, read for many of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from anomalies import nature
from anomalies.models import Anomaly
from mlops import features
from sensors import many
from sensors.models import Sensor
from sensors.series import FloatArray, Series, to_datetime, to_datetime64

MOST_OTHERS = 24
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is looked at. since, until: which event times count; None: all before, all to come."""

    own: nature.Track
    others: tuple[nature.Track, ...]
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Known:
    """Features that a pass has computed: X, of the rows of `series` from `first` on."""

    series: Series
    first: int
    X: FloatArray

    def of(self, whole: Series, first: int) -> FloatArray | None:
        """Those of the rows of `whole` from `first` on; None where a reading that they depend on is
        not the same."""
        begin = int(self.series.times.searchsorted(whole.times[0])) if len(whole) else 0
        same = self.series[begin : begin + len(whole)]
        is_whole = first >= features.CONTEXT_ROWS - 1 or begin == 0
        if not is_whole or begin + first < self.first:
            return None
        if not np.array_equal(same.times, whole.times):
            return None
        if not np.array_equal(same.values, whole.values):
            return None
        at = begin - self.first
        return self.X[at + first : at + len(whole)]


def scenes_of(anomalies: Sequence[Anomaly], known: Mapping[int, Known]) -> list[Scene]:
    """The readings around each anomaly, of its sensor and of the others of its machine.

    known: by sensor.
    """
    parts = _around(anomalies)
    machines = _machines(anomalies)
    asked = [
        (other, *span)
        for anomaly, part in zip(anomalies, parts, strict=True)
        for span in [_span(anomaly, part)]
        for other in _others(anomaly, machines)
    ]
    spans = [(other.pk, since, until + _TICK) for other, since, until in asked]
    tracks = [
        _track(other, series, int(series.times.searchsorted(to_datetime64(since))), known)
        for (other, since, _), series in zip(
            asked, many.leading(spans, rows=features.CONTEXT_ROWS), strict=True
        )
    ]
    scenes, at = [], 0
    for anomaly, part in zip(anomalies, parts, strict=True):
        count = len(_others(anomaly, machines))
        context = part.lead[: -nature.MARGIN_ROWS][-features.CONTEXT_ROWS :]
        whole = Series.concatenate([context, part.near])
        own = _track(anomaly.sensor, whole, len(context), known)
        scenes.append(_scene(anomaly, part, own, tuple(tracks[at : at + count])))
        at += count
    return scenes


@dataclass(frozen=True, slots=True)
class _Around:
    """Readings of one sensor: before an anomaly, in it (the first of them) and after those."""

    lead: Series
    body: Series
    after: Series

    @property
    def near(self) -> Series:
        """The rows that are looked at."""
        return Series.concatenate([self.lead[-nature.MARGIN_ROWS :], self.body, self.after])


def _around(anomalies: Sequence[Anomaly]) -> list[_Around]:
    rows = features.CONTEXT_ROWS + nature.MARGIN_ROWS
    spans = [(one.sensor_id, one.start, one.end) for one in anomalies]
    leads = many.leading([(pk, start, start) for pk, start, _ in spans], rows=rows)
    bodies = many.between(spans, limit=nature.MOST_ROWS)
    lasts = [
        to_datetime(body.times[-1]) if len(body) else end
        for body, (_, _, end) in zip(bodies, spans, strict=True)
    ]
    behind = [
        (pk, last + _TICK, datetime.max.replace(tzinfo=UTC))
        for last, (pk, _, _) in zip(lasts, spans, strict=True)
    ]
    afters = many.between(behind, limit=nature.MARGIN_ROWS)
    return [_Around(*parts) for parts in zip(leads, bodies, afters, strict=True)]


def _span(anomaly: Anomaly, part: _Around) -> tuple[datetime, datetime]:
    """Event times from the first row that is looked at to the last."""
    near = part.near.times
    return (
        to_datetime(near[0]) if len(near) else anomaly.start,
        to_datetime(near[-1]) if len(part.after) or len(part.body) else anomaly.end,
    )


def _machines(anomalies: Sequence[Anomaly]) -> dict[int, list[Sensor]]:
    """The sensors of their machines, retired ones aside, in the order of their keys."""
    assets = {anomaly.sensor.asset_id for anomaly in anomalies} - {None}
    found: dict[int, list[Sensor]] = {}
    for sensor in Sensor.objects.scored().filter(asset__in=assets).order_by("pk"):
        found.setdefault(sensor.asset_id, []).append(sensor)
    return found


def _others(anomaly: Anomaly, machines: dict[int, list[Sensor]]) -> list[Sensor]:
    machine = machines.get(anomaly.sensor.asset_id or 0, [])
    return [other for other in machine if other.pk != anomaly.sensor_id][:MOST_OTHERS]


def _track(sensor: Sensor, whole: Series, first: int, known: Mapping[int, Known]) -> nature.Track:
    computed = known[sensor.pk].of(whole, first) if sensor.pk in known else None
    return nature.Track(sensor.external_id, sensor.kind, whole.times, whole.values, first, computed)


def _scene(
    anomaly: Anomaly, part: _Around, own: nature.Track, others: tuple[nature.Track, ...]
) -> Scene:
    tracks = (own, *others)
    is_whole = all(track.first >= features.CONTEXT_ROWS for track in tracks)
    return Scene(
        own=own,
        others=others,
        since=to_datetime(min(track.times[0] for track in tracks)) if is_whole else None,
        until=_span(anomaly, part)[1] if len(part.after) == nature.MARGIN_ROWS else None,
    )

"""What is looked at around anomalies, read for many of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from anomalies import nature
from anomalies.models import Anomaly
from mlops import features
from sensors import many
from sensors.models import Sensor
from sensors.series import Series, to_datetime, to_datetime64

MOST_OTHERS = 24
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is looked at. since, until: which event times count; None: all before, all to come."""

    own: nature.Track
    others: tuple[nature.Track, ...]
    since: datetime | None
    until: datetime | None


def scenes_of(anomalies: Sequence[Anomaly]) -> list[Scene]:
    """The readings around each anomaly, of its sensor and of the others of its machine."""
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
        _track(other, series, since)
        for (other, since, _), series in zip(
            asked, many.leading(spans, rows=features.CONTEXT_ROWS), strict=True
        )
    ]
    scenes, at = [], 0
    for anomaly, part in zip(anomalies, parts, strict=True):
        count = len(_others(anomaly, machines))
        scenes.append(_scene(anomaly, part, tuple(tracks[at : at + count])))
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


def _track(sensor: Sensor, whole: Series, since: datetime) -> nature.Track:
    first = int(whole.times.searchsorted(to_datetime64(since)))
    return nature.Track(sensor.external_id, sensor.kind, whole.times, whole.values, first)


def _scene(anomaly: Anomaly, part: _Around, others: tuple[nature.Track, ...]) -> Scene:
    context = part.lead[: -nature.MARGIN_ROWS][-features.CONTEXT_ROWS :]
    whole = Series.concatenate([context, part.near])
    sensor = anomaly.sensor
    own = nature.Track(
        sensor.external_id, sensor.kind, whole.times, whole.values, len(context)
    )  # fmt: skip
    tracks = (own, *others)
    is_whole = all(track.first >= features.CONTEXT_ROWS for track in tracks)
    return Scene(
        own=own,
        others=others,
        since=to_datetime(min(track.times[0] for track in tracks)) if is_whole else None,
        until=_span(anomaly, part)[1] if len(part.after) == nature.MARGIN_ROWS else None,
    )

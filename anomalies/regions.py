"""Which readings a note makes dirty, and the stretch that has to be scored because of it.

A reading changes its own score and those of the readings whose context it stands in. A region is
all of these, widened until no standing anomaly straddles its left edge or reaches beyond its right
one, so that replacing the anomalies inside it leaves the rest as a clean run would have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from anomalies import exclusions
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly
from anomalies.scoring import block_start, context_rows
from anomalies.stretch import Limits, Stretch
from sensors import many, states
from sensors.models import Reading, Sensor
from sensors.series import Series, to_datetime, to_datetime64

MAX_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch to score, with what it must be joined to.

    stretch: the rows from `since` to `until`, with their context before them. prefix: a standing
    anomaly that ended within the merge gap before `since` and may go on inside; its own rows are
    clean. prefix_rows: rows from its end to the first scored row. rest_until: where the dirty rows
    go on beyond this region, when they are too many for one pass.
    """

    sensor: Sensor
    stretch: Stretch
    since: datetime
    until: datetime
    standing: tuple[Anomaly, ...]
    prefix: Anomaly | None
    prefix_rows: int
    rest_until: datetime | None


@dataclass(frozen=True, slots=True)
class Noted:
    """Readings of a sensor from `since` to `until` are to be scored.

    champion: by one. new: they came since they were last scored, so all that the core said after
    them is dirty too; else they are to be scored again as they are.
    """

    sensor: Sensor
    since: datetime
    until: datetime
    champion: bool
    new: bool


Span = tuple[int, datetime, datetime]


def load(noted: Sequence[Noted], policy: DetectionPolicy) -> list[Region | None]:
    """The region that each makes dirty, in that order; None where there are no readings."""
    spans = _widened(noted, _dirty(noted, policy), policy)
    bodies = many.between(spans, limit=MAX_ROWS + 1)
    some = [i for i, body in enumerate(bodies) if len(body)]
    found: list[Region | None] = [None] * len(noted)
    regions = _regions(
        [noted[i] for i in some],
        [spans[i][2] for i in some],
        [bodies[i] for i in some],
        policy,
    )
    for i, region in zip(some, regions, strict=True):
        found[i] = region
    return found


def _dirty(noted: Sequence[Noted], policy: DetectionPolicy) -> list[Span]:
    """Of each sensor the range of readings whose scores may change."""
    last = many.newest([one.sensor.pk for one in noted])
    spans = []
    for one, newest in zip(noted, last, strict=True):
        if one.new:
            until = max(one.until, newest or one.until)
        else:
            until = _dirty_until(one.sensor.pk, one.until, champion=one.champion, policy=policy)
        spans.append((one.sensor.pk, one.since, until))
    return spans


def _regions(
    noted: Sequence[Noted],
    untils: Sequence[datetime],
    bodies: Sequence[Series],
    policy: DetectionPolicy,
) -> list[Region]:
    is_cut = [len(body) > MAX_ROWS for body in bodies]
    bodies = [body[:MAX_ROWS] for body in bodies]
    leads = _leads(noted, [to_datetime(body.times[0]) for body in bodies], policy)
    ids = [one.sensor.pk for one in noted]
    spans = [_near(*columns, policy) for columns in zip(ids, leads, bodies, strict=True)]
    standing, told, blamed = _standing(spans), states.told_of(ids), exclusions.known_of(ids)
    found = []
    for i, (one, lead, body) in enumerate(zip(noted, leads, bodies, strict=True)):
        pk, series = one.sensor.pk, Series.concatenate([lead, body])
        known = states.states_of(pk, series.times) if pk in told else None
        faulty = exclusions.left_out(pk, series.times) if pk in blamed else None
        stretch = Stretch(series, len(lead), limits_of(one.sensor), known, faulty)
        rest_until = untils[i] if is_cut[i] else None
        found.append(_region(one.sensor, stretch, tuple(standing.get(pk, ())), rest_until))
    return found


def _near(sensor_id: int, lead: Series, body: Series, policy: DetectionPolicy) -> Span:
    """From as far before the rows to score as an anomaly may lie that they continue."""
    first = (lead.times[-policy.merge_gap_rows :] if len(lead) else body.times)[0]
    return sensor_id, to_datetime(first), to_datetime(body.times[-1])


def _standing(spans: Sequence[Span]) -> dict[int, list[Anomaly]]:
    """What scoring these spans may change, by sensor, oldest first."""
    found: dict[int, list[Anomaly]] = {}
    for anomaly in Anomaly.objects.standing().of_one_sensor().meeting(spans).order_by("start"):
        found.setdefault(anomaly.sensor_id, []).append(anomaly)
    return found


def _region(
    sensor: Sensor, stretch: Stretch, standing: tuple[Anomaly, ...], rest_until: datetime | None
) -> Region:
    first, last = to_datetime(stretch.times[0]), to_datetime(stretch.times[-1])
    prefix = next((anomaly for anomaly in standing if anomaly.end < first), None)
    prefix_rows = 0
    if prefix is not None:
        lead = stretch.series.times[: stretch.first]
        prefix_rows = len(lead) - int(lead.searchsorted(to_datetime64(prefix.end)))
    return Region(sensor, stretch, first, last, standing, prefix, prefix_rows, rest_until)


def limits_of(sensor: Sensor) -> Limits:
    return Limits(sensor.physical_min, sensor.physical_max, sensor.alarm_low, sensor.alarm_high)


def _dirty_until(
    sensor_id: int, until: datetime, *, champion: bool, policy: DetectionPolicy
) -> datetime:
    """Event time of the last reading whose score may depend on one at `until`."""
    reach = context_rows(policy, champion=champion)
    later = Reading.objects.after(sensor_id, until, reach)
    if not len(later):
        return until
    if champion or len(later) < reach:
        return to_datetime(later.times[-1])
    # A local model serves a whole block: the last one it may have been fitted for is dirty to its
    # end.
    block = to_datetime(block_start(later.times[-1:], policy)[0])
    return block + timedelta(hours=policy.local_block_hours, microseconds=-1)


def _widened(noted: Sequence[Noted], spans: Sequence[Span], policy: DetectionPolicy) -> list[Span]:
    """The same ranges, grown over the standing anomalies that cross or touch their edges."""
    crossed = Anomaly.objects.standing().of_one_sensor().meeting(spans)
    busy = set(crossed.order_by().values_list("sensor", flat=True))
    # After the newest reading of all nothing can touch the edge.
    return [
        _widened_alone(span, policy) if span[0] in busy or not one.new else span
        for one, span in zip(noted, spans, strict=True)
    ]


def _widened_alone(span: Span, policy: DetectionPolicy) -> Span:
    sensor_id, since, until = span
    while True:
        gap = policy.merge_gap_rows
        behind = Reading.objects.after(sensor_id, until, gap)
        reach = to_datetime(behind.times[-1]) if len(behind) else until
        crossing = Anomaly.objects.overlapping(sensor_id, since=since, until=reach).of_one_sensor()
        edges = crossing.values_list("start", "end")
        wider = (
            min([since, *(start for start, _ in edges)]),
            max([until, *(end for _, end in edges)]),
        )
        if wider == (since, until):
            return sensor_id, since, until
        since, until = wider


def _leads(
    noted: Sequence[Noted], firsts: Sequence[datetime], policy: DetectionPolicy
) -> list[Series]:
    """Of each the readings before `first` that the scores from there on depend on."""
    found: list[Series | None] = [None] * len(noted)
    for champion in (False, True):
        some = [i for i, one in enumerate(noted) if one.champion == champion]
        spans = [(noted[i].sensor.pk, firsts[i]) for i in some]
        for i, lead in zip(
            some, _leads_alike(spans, champion=champion, policy=policy), strict=True
        ):
            found[i] = lead
    return [lead for lead in found if lead is not None]


def _leads_alike(
    spans: Sequence[tuple[int, datetime]], *, champion: bool, policy: DetectionPolicy
) -> list[Series]:
    rows = max(context_rows(policy, champion=champion), policy.merge_gap_rows)
    asked = []
    for sensor_id, first in spans:
        block = block_start(np.array([to_datetime64(first)]), policy)
        asked.append((sensor_id, first if champion else to_datetime(block[0]), first))
    return many.leading(asked, rows=rows)


def single(
    sensor_id: int, time: datetime, *, limits: Limits, champion: bool, policy: DetectionPolicy
) -> Stretch:
    """The one reading at `time`, with the context its score depends on.

    Raises Reading.DoesNotExist when there is no such reading any more.
    """
    body = Reading.objects.series(sensor_id, since=time, until=time)
    if not len(body):
        raise Reading.DoesNotExist(f"sensor {sensor_id} has no reading at {time.isoformat()}")
    [lead] = _leads_alike([(sensor_id, time)], champion=champion, policy=policy)
    series = Series.concatenate([lead, body])
    known = states.states_of(sensor_id, series.times)
    return Stretch(series, len(lead), limits, known, exclusions.left_out(sensor_id, series.times))

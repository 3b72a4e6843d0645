"""Which readings a note makes dirty, and the stretch that has to be scored because of it.

A reading changes its own score and those of the readings whose context it stands in. A region is
all of these, widened until no standing anomaly straddles its left edge or reaches beyond its right
one, so that replacing the anomalies inside it leaves the rest as a clean run would have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from anomalies import exclusions
from anomalies.detection_policy import DetectionPolicy
from anomalies.models import Anomaly
from anomalies.querysets import AnomalyQuerySet
from anomalies.scoring import Limits, Stretch, block_start, context_rows
from sensors import states
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


def load(
    sensor: Sensor,
    *,
    since: datetime,
    until: datetime,
    champion: bool,
    policy: DetectionPolicy,
    new: bool = True,
) -> Region | None:
    """The region that is dirty when readings from `since` to `until` are new; None without any.

    new: they came since they were last scored, so all that the core said after them is dirty too;
    else they are to be scored again as they are.
    """
    if new:
        dirty_until = _newest(sensor.pk, until)
    else:
        dirty_until = _dirty_until(sensor.pk, until, champion=champion, policy=policy)
    since, until = _widened(sensor.pk, since, dirty_until, policy)
    body = Reading.objects.series(sensor.pk, since=since, until=until, limit=MAX_ROWS + 1)
    if not len(body):
        return None
    rest_until = None
    if len(body) > MAX_ROWS:
        body, rest_until = body[:MAX_ROWS], until
    lead = _lead(sensor.pk, to_datetime(body.times[0]), champion=champion, policy=policy)
    return _region(sensor, lead, body, rest_until, policy)


def _region(
    sensor: Sensor,
    lead: Series,
    body: Series,
    rest_until: datetime | None,
    policy: DetectionPolicy,
) -> Region:
    first, last = to_datetime(body.times[0]), to_datetime(body.times[-1])
    near = to_datetime(lead.times[-policy.merge_gap_rows :][0]) if len(lead) else first
    standing = tuple(_found(sensor.pk, since=near, until=last).order_by("start"))
    prefix = next((anomaly for anomaly in standing if anomaly.end < first), None)
    prefix_rows = 0
    if prefix is not None:
        ended = int(lead.times.searchsorted(to_datetime64(prefix.end)))
        prefix_rows = len(lead) - ended
    series = Series.concatenate([lead, body])
    known = states.states_of(sensor.pk, series.times)
    faulty = exclusions.left_out(sensor.pk, series.times)
    stretch = Stretch(series, len(lead), limits_of(sensor), known, faulty)
    return Region(sensor, stretch, first, last, standing, prefix, prefix_rows, rest_until)


def limits_of(sensor: Sensor) -> Limits:
    return Limits(sensor.physical_min, sensor.physical_max, sensor.alarm_low, sensor.alarm_high)


def _newest(sensor_id: int, until: datetime) -> datetime:
    newest = Reading.objects.before(sensor_id, datetime.max.replace(tzinfo=UTC), 1)
    return max([until, *(to_datetime(time) for time in newest.times)])


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


def _widened(
    sensor_id: int, since: datetime, until: datetime, policy: DetectionPolicy
) -> tuple[datetime, datetime]:
    """The same range, grown over the standing anomalies that cross or touch its edges."""
    while True:
        gap = policy.merge_gap_rows
        behind = Reading.objects.after(sensor_id, until, gap)
        reach = to_datetime(behind.times[-1]) if len(behind) else until
        crossing = _found(sensor_id, since=since, until=reach)
        edges = crossing.values_list("start", "end")
        wider = (
            min([since, *(start for start, _ in edges)]),
            max([until, *(end for _, end in edges)]),
        )
        if wider == (since, until):
            return wider
        since, until = wider


def _found(sensor_id: int, *, since: datetime, until: datetime) -> AnomalyQuerySet:
    """Standing anomalies that scoring may change: silences are the watch's."""
    return Anomaly.objects.overlapping(sensor_id, since=since, until=until).of_readings()


def _lead(sensor_id: int, first: datetime, *, champion: bool, policy: DetectionPolicy) -> Series:
    """The readings before `first` that the scores from there on depend on."""
    rows = max(context_rows(policy, champion=champion), policy.merge_gap_rows)
    if champion:
        return Reading.objects.before(sensor_id, first, rows)
    block = to_datetime(block_start(np.array([to_datetime64(first)]), policy)[0])
    return Series.concatenate(
        [
            Reading.objects.before(sensor_id, block, rows),
            Reading.objects.series(sensor_id, since=block, until=first)[:-1],
        ]
    )


def single(
    sensor_id: int, time: datetime, *, limits: Limits, champion: bool, policy: DetectionPolicy
) -> Stretch:
    """The one reading at `time`, with the context its score depends on.

    Raises Reading.DoesNotExist when there is no such reading any more.
    """
    body = Reading.objects.series(sensor_id, since=time, until=time)
    if not len(body):
        raise Reading.DoesNotExist(f"sensor {sensor_id} has no reading at {time.isoformat()}")
    lead = _lead(sensor_id, time, champion=champion, policy=policy)
    series = Series.concatenate([lead, body])
    known = states.states_of(sensor_id, series.times)
    return Stretch(series, len(lead), limits, known, exclusions.left_out(sensor_id, series.times))

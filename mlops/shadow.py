"""Challengers beside the champion on live readings: their scores are kept, and raise nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection

from mlops import metrics
from mlops.comparison import EPISODE_GAP
from mlops.detectors.base import ALARM_LEVEL, Detector
from mlops.models import ShadowScores
from mlops.serving import Challenger, Champion
from sensors.series import FloatArray, TimeArray, to_datetime

# Of a sensor and pass, the newest: a backlog says no more than its end, and fills the table.
MAX_ROWS = 2000
# Of each challenger and sensor: readings, and how many of them reach the level, by whom.
_COUNTED = """
SELECT s.name, s.version, s.sensor_id, count(*),
    count(*) FILTER (WHERE each.champion >= %(level)s),
    count(*) FILTER (WHERE each.challenger >= %(level)s),
    count(*) FILTER (WHERE each.champion >= %(level)s AND each.challenger >= %(level)s)
FROM unnest(%(names)s::text[], %(versions)s::int[], %(sensors)s::bigint[])
    AS asked (name, version, sensor_id)
JOIN mlops_shadowscores s USING (name, version, sensor_id),
    unnest(s.champion_scores, s.challenger_scores) AS each (champion, challenger)
GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a pass scored of a sensor: times (n,), features (n, d), and by which champion.

    levelled: makes of scores (n,) what they come to live, where this sensor may alarm so often.
    """

    sensor_id: int
    times: TimeArray
    features: FloatArray
    served: Champion
    levelled: Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class Agreement:
    """readings that both scored; episodes of each, and of the challenger's those that overlap."""

    readings: int = 0
    sensors: int = 0
    champion: int = 0
    challenger: int = 0
    both: int = 0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.readings + other.readings,
            self.sensors + other.sensors,
            self.champion + other.champion,
            self.challenger + other.challenger,
            self.both + other.both,
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """readings that both scored, and how many of them each, and both, took for anomalous."""

    readings: int = 0
    champion: int = 0
    challenger: int = 0
    both: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """What both said of one sensor, in event order: times (n,), scores (n,) in [0, 1)."""

    times: TimeArray
    champion: FloatArray
    challenger: FloatArray


def keep(seen: Iterable[Seen], *, now: datetime) -> int:
    """Let the challengers score what their champions scored; how many rows of scores were kept."""
    groups: dict[tuple[str, int], list[Seen]] = {}
    for each in seen:
        if each.served.challenger is not None and len(each.times):
            groups.setdefault((each.served.name, each.served.version), []).append(each)
    rows = [row for group in groups.values() for row in _of_one_champion(group, now)]
    ShadowScores.objects.bulk_create(rows, batch_size=200)
    return len(rows)


def prune(*, now: datetime) -> int:
    """Forget what is past SHADOW_RETENTION_DAYS; how many rows."""
    old = now - timedelta(days=settings.SHADOW_RETENTION_DAYS)
    return ShadowScores.objects.filter(scored_at__lt=old).delete()[0]


def agreement(name: str, version: int) -> Agreement:
    """How the version did beside whoever was champion, on the readings both scored live."""
    rows = ShadowScores.objects.filter(name=name, version=version).order_by("sensor", "id")
    by_sensor: dict[int, list[ShadowScores]] = {}
    for row in rows:
        by_sensor.setdefault(row.sensor_id, []).append(row)
    return sum((compared(side_by_side(each)) for each in by_sensor.values()), Agreement())


def counted(rows: Iterable[ShadowScores]) -> dict[tuple[str, int, int], Counted]:
    """By (name, version, sensor) of these rows; what was scored twice counts twice."""
    groups = sorted({(row.name, row.version, row.sensor_id) for row in rows})
    columns = ("names", "versions", "sensors")
    asked: dict[str, Any] = {name: [row[i] for row in groups] for i, name in enumerate(columns)}
    asked["level"] = ALARM_LEVEL
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, asked)
        found = cursor.fetchall()
    return {(name, version, sensor): Counted(*n) for name, version, sensor, *n in found}


def side_by_side(rows: Iterable[ShadowScores]) -> Pair:
    """Of one sensor's rows, oldest first; of what was scored twice the newest counts."""
    newest: dict[int, tuple[float, float]] = {}
    for row in rows:
        pairs = zip(row.champion_scores, row.challenger_scores, strict=True)
        newest |= dict(zip(row.times, pairs, strict=True))
    times = sorted(newest)
    scores = np.array([newest[time] for time in times]).reshape(-1, 2)
    return Pair(np.array(times, dtype="datetime64[us]"), scores[:, 0], scores[:, 1])


def compared(pair: Pair) -> Agreement:
    """Of one sensor: what each would have raised."""
    ours, theirs = (stretches(scores) for scores in (pair.champion, pair.challenger))
    both = sum(any(a <= d and c <= b for c, d in ours) for a, b in theirs)
    return Agreement(len(pair.times), 1, len(ours), len(theirs), both)


def stretches(scores: FloatArray) -> list[tuple[int, int]]:
    """First and last row of what would be an episode."""
    return metrics.episodes(scores >= ALARM_LEVEL, EPISODE_GAP)


def told(name: str, version: int) -> str:
    """The agreement in words."""
    found = agreement(name, version)
    if not found.readings:
        return f"v{version} has not scored beside the champion yet"
    return (
        f"beside the champion on {found.readings} live readings of {found.sensors} sensors: "
        f"{found.challenger} episodes, the champion {found.champion}, {found.both} in common"
    )


def _of_one_champion(group: Sequence[Seen], now: datetime) -> list[ShadowScores]:
    """One call of each model for all sensors."""
    served, rival = group[0].served, group[0].served.challenger
    if rival is None:
        return []
    ours, theirs = (_scores(model, group) for model in (served.detector, rival.detector))
    return [
        _row(each, rival, champion, challenger, now)
        for each, champion, challenger in zip(group, ours, theirs, strict=True)
    ]


def _scores(detector: Detector, group: Sequence[Seen]) -> list[FloatArray]:
    together = detector.score(np.concatenate([each.features for each in group]))
    parts = np.split(together, np.cumsum([len(each.features) for each in group])[:-1])
    return [each.levelled(part) for each, part in zip(group, parts, strict=True)]


def _row(
    seen: Seen, rival: Challenger, champion: FloatArray, challenger: FloatArray, now: datetime
) -> ShadowScores:
    times = seen.times
    return ShadowScores(
        sensor_id=seen.sensor_id,
        name=seen.served.name,
        version=rival.version,
        champion_version=seen.served.version,
        since=to_datetime(times[0]),
        until=to_datetime(times[-1]),
        times=times.astype("datetime64[us]").astype(np.int64).tolist(),
        champion_scores=champion.tolist(),
        challenger_scores=challenger.tolist(),
        scored_at=now,
    )

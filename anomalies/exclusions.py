"""What nothing is learnt from: the times at which a sensor measured a confirmed fault.

The one home of it: baselines, the core's memory and training sets all ask here. A period is written
down with the verdict, as long as the anomaly was then, and stands until another verdict. So what
detection finds is a function of stored readings and stored periods, and does not depend on when a
person spoke. `renew` lengthens those of faults that went on, by the clock.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import transaction
from django.db.models import F, Q
from numpy.typing import NDArray

from anomalies.models import Anomaly, FaultPeriod, Verdict
from sensors.models import Reading, ScoringNote
from sensors.series import TimeArray, to_datetime, to_datetime64

REASON = ScoringNote.Reason.VERDICT
INSTANT = np.timedelta64(1, "us")


@dataclass(frozen=True, slots=True)
class Periods:
    """Closed ranges of event time, oldest first; since, until: datetime64[us], shape (k,)."""

    since: TimeArray
    until: TimeArray

    def __len__(self) -> int:
        return len(self.since)

    def covers(self, times: TimeArray, length: np.timedelta64 = INSTANT) -> NDArray[np.bool_]:
        """Which of the times, shape (n,), ascending, lie in a period; with a `length`, in which of
        the stretches that are as long and begin then a part of a period lies."""
        inside = np.zeros(len(times), np.bool_)
        for since, until in zip(self.since, self.until, strict=True):
            first = np.searchsorted(times, since - length, "right")
            inside[first : np.searchsorted(times, until, "right")] = True
        return inside


def confirmed_fault_periods(
    sensor_id: int, *, since: datetime | None = None, until: datetime | None = None
) -> Periods:
    """The periods of a sensor that share an instant with [since, until]."""
    return _periods([sensor_id], since=since, until=until)


def _periods(
    sensor_ids: Collection[int], *, since: datetime | None, until: datetime | None
) -> Periods:
    rows = FaultPeriod.objects.filter(sensor__in=sensor_ids)
    if since is not None:
        rows = rows.filter(until__gte=since)
    if until is not None:
        rows = rows.filter(since__lte=until)
    found = list(rows.order_by("since", "until").values_list("since", "until"))
    return Periods(
        np.array([to_datetime64(start) for start, _ in found], "datetime64[us]"),
        np.array([to_datetime64(end) for _, end in found], "datetime64[us]"),
    )


def known_of(sensor_ids: Collection[int]) -> set[int]:
    """Those of the sensors that ever measured a confirmed fault."""
    rows = FaultPeriod.objects.filter(sensor__in=sensor_ids)
    return set(rows.order_by().values_list("sensor", flat=True).distinct())


def of_sensors(sensor_ids: Collection[int]) -> dict[int, list[tuple[datetime, datetime]]]:
    """All periods of these sensors, by sensor id; both ends are included."""
    found: dict[int, list[tuple[datetime, datetime]]] = {}
    rows = FaultPeriod.objects.filter(sensor__in=sensor_ids).order_by("since", "until")
    for sensor_id, since, until in rows.values_list("sensor", "since", "until"):
        found.setdefault(sensor_id, []).append((since, until))
    return found


def left_out(sensor_id: int, times: TimeArray) -> NDArray[np.bool_] | None:
    """Which of a sensor's readings, at ascending times of shape (n,), are of a confirmed fault;
    None when none is."""
    if not len(times):
        return None
    periods = confirmed_fault_periods(
        sensor_id, since=to_datetime(times[0]), until=to_datetime(times[-1])
    )
    return periods.covers(times) if len(periods) else None


def rows_left_out(
    sensor_ids: Collection[int], starts: TimeArray, step: np.timedelta64
) -> NDArray[np.bool_] | None:
    """Of a machine's rows, which begin at `starts`, (n,), ascending, and are a `step` long, those
    in which any of these sensors measured a confirmed fault; None when none did."""
    if not len(starts):
        return None
    last = starts[-1] + (step - INSTANT)
    periods = _periods(sensor_ids, since=to_datetime(starts[0]), until=to_datetime(last))
    return periods.covers(starts, step) if len(periods) else None


def settle(anomaly: Anomaly, *, now: datetime) -> None:
    """Make the period of an anomaly follow its verdict. Call it in the transaction of the verdict.

    What was scored with another period is noted to be scored again.
    """
    # A silence has no readings, a prediction none yet: these take nothing out.
    if anomaly.verdict == Verdict.CONFIRMED and anomaly.readings > 0:
        _keep(anomaly, now=now)
        return
    for period in FaultPeriod.objects.filter(anomaly=anomaly.pk):
        _score_again(period.sensor_id, period.since)
        period.delete()


@transaction.atomic
def renew(*, now: datetime, sensors: Collection[int] | None = None) -> int:
    """Let the periods of confirmed faults that went on reach as far as those; how many did.

    Those that were confirmed before periods were written down get theirs.
    """
    is_short = Q(fault_period__until__lt=F("end")) | Q(fault_period__isnull=True, readings__gt=0)
    grown = Anomaly.objects.standing().filter(is_short, verdict=Verdict.CONFIRMED)
    if sensors is not None:
        grown = grown.filter(sensor__in=sensors)
    rows = list(grown.select_for_update(of=("self",)).order_by("pk"))
    for anomaly in rows:
        _keep(anomaly, now=now)
    return len(rows)


def _keep(anomaly: Anomaly, *, now: datetime) -> None:
    before = FaultPeriod.objects.filter(anomaly=anomaly.pk).first()
    if before is not None and (before.since, before.until) == (anomaly.start, anomaly.end):
        return
    FaultPeriod.objects.update_or_create(
        anomaly=anomaly,
        defaults={
            "sensor_id": anomaly.sensor_id,
            "since": anomaly.start,
            "until": anomaly.end,
            "noted_at": now,
        },
    )
    _score_again(anomaly.sensor_id, min(anomaly.start, before.since if before else anomaly.start))


def _score_again(sensor_id: int, since: datetime) -> None:
    """Everything from then on may be judged by what was learnt from those readings."""
    newest = Reading.objects.before(sensor_id, datetime.max.replace(tzinfo=since.tzinfo), 1)
    if not len(newest) or to_datetime(newest.times[-1]) < since:
        return
    ScoringNote.objects.create(
        sensor_id=sensor_id, since=since, until=to_datetime(newest.times[-1]), reason=REASON
    )

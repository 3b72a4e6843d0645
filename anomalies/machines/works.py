"""What there is to do for machines that have notes: which of their rows are to be judged.

A row of the grid is judged by all rows before it, so from the first one that changed to the last
closed one all are dirty. What is read for it is read for all machines of a pass at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from django.db.models import Max, Min

from anomalies.detection_policy import DetectionPolicy
from anomalies.machines import readings
from anomalies.machines.alarms import merge_gap_rows
from anomalies.machines.grid import Era, Member, closed, eras
from anomalies.models import Anomaly, MachineDetection, MachineNote
from anomalies.querysets import AnomalyQuerySet
from sensors import many
from sensors.models import Asset, Sensor
from sensors.presentation import zone_of
from sensors.series import EARLIEST_DATETIME, to_datetime, to_datetime64

MAX_ROWS = 20_000  # of a machine in a pass
MOST_ROWS = 2 * MAX_ROWS  # of all machines that are read at once

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Begun:
    """A machine with its notes, at least one, and what is known of its sensors now.

    sensors: all of the machine, by number; dirty: start of the first row that changed, or was not
    closed yet when it was last looked at; end: rows that end by then are judged, None where there
    is no era.
    """

    row: MachineDetection
    asset: Asset
    notes: tuple[MachineNote, ...]
    sensors: Mapping[int, Sensor]
    members: tuple[Member, ...]
    eras: tuple[Era, ...]
    dirty: np.datetime64
    end: np.datetime64 | None

    def gap(self, policy: DetectionPolicy) -> np.timedelta64:
        """An anomaly that ends so long before the dirty rows may go on in them."""
        if not self.eras:
            return np.timedelta64(0, "us")
        era = _era_at(self.eras, self.dirty)
        return (merge_gap_rows(era, policy) + 1) * era.step


@dataclass(frozen=True, slots=True)
class Work:
    """since, until: the rows that are judged in this pass, which begin with the anomalies that may
    go on in the dirty ones; rest: whether rows remain behind."""

    begun: Begun
    since: np.datetime64
    until: np.datetime64
    rest: bool
    standing: tuple[Anomaly, ...]

    @property
    def asset(self) -> Asset:
        return self.begun.asset

    @property
    def eras(self) -> tuple[Era, ...]:
        return self.begun.eras

    @property
    def reason(self) -> str:
        return self.begun.notes[0].reason

    @property
    def rows(self) -> int:
        """That are judged, at most."""
        return sum(int((until - since) / era.step) for era, since, until in self.parts())

    def parts(self) -> Iterator[tuple[Era, np.datetime64, np.datetime64]]:
        """The eras that rows are judged in, each with where its first begins and its last ends."""
        ends = [*(era.begin for era in self.eras[1:]), self.until]
        for era, end in zip(self.eras, ends, strict=False):
            since, until = max(self.since, era.begin), era.row_of(min(end, self.until))
            if since < until:
                yield era, since, until


def begin(
    rows: Sequence[MachineDetection], notes: Mapping[int, Sequence[MachineNote]]
) -> list[Begun]:
    """Machines that have notes, which come by asset."""
    assets = Asset.objects.select_related("site").in_bulk([row.pk for row in rows])
    sensors: dict[int, dict[int, Sensor]] = {pk: {} for pk in assets}
    for sensor in Sensor.objects.filter(asset__in=assets).order_by("pk"):
        sensors[sensor.asset_id or 0][sensor.pk] = sensor
    # A state may be said since ever, and years before the first are none to Python's datetime.
    noted = [
        to_datetime64(max(EARLIEST_DATETIME, min(note.since for note in notes[row.pk])))
        for row in rows
    ]
    known = [readings.loaded(row.members) for row in rows]
    members = readings.members_of(
        [
            (list(sensors[row.pk]), [member for member in own if member.since < time])
            for row, own, time in zip(rows, known, noted, strict=True)
        ]
    )
    zones = [zone_of(assets[row.pk].site.timezone).key for row in rows]
    were, are = ([*map(eras, each, zones)] for each in (known, members))
    dirty = [_dirty(*each) for each in zip(rows, noted, were, are, strict=True)]
    return [
        Begun(
            row, assets[row.pk], tuple(notes[row.pk]), sensors[row.pk], tuple(own), new, since, end
        )
        for row, own, new, since, end in zip(rows, members, are, dirty, _ends(are), strict=True)
    ]


def _dirty(
    row: MachineDetection, noted: np.datetime64, were: Sequence[Era], are: Sequence[Era]
) -> np.datetime64:
    """Eras that are not what they were are dirty from where they begin."""
    known = [noted] if row.judged_until is None else [noted, to_datetime64(row.judged_until)]
    first = min([*known, *(era.begin for era in {*were} ^ {*are})])
    return _era_at(are, first).row_of(first) if are else first


def _ends(found: Sequence[tuple[Era, ...]]) -> list[np.datetime64 | None]:
    """Of each machine, with its eras, where the rows end that are closed."""
    newest = iter(many.newest([pk for eras in found if eras for pk in eras[-1].sensors]))
    ends: list[np.datetime64 | None] = []
    for own in found:
        times = [next(newest) for _ in own[-1].sensors] if own else []
        spoke = [to_datetime64(time) for time in times if time is not None]
        ends.append(closed(spoke, own[-1]) if own else None)
    return ends


def busy(found: Sequence[Begun], policy: DetectionPolicy) -> set[int]:
    """Those of the machines of which an anomaly stands that judging them may change."""
    since = {one.asset.pk: one.dirty - one.gap(policy) for one in found}
    if not since:
        return set()
    near = Anomaly.objects.standing().filter(
        asset__in=since, end__gte=to_datetime(min(since.values()))
    )
    ends = near.order_by().values("asset").annotate(last=Max("end")).values_list("asset", "last")
    return {pk for pk, end in ends if to_datetime64(end) >= since[pk]}


def bounded(begun: Begun, policy: DetectionPolicy, *, is_busy: bool) -> Work:
    """From the first row that is dirty, or an anomaly that may go on there, as far as is closed and
    one pass may go. is_busy: see `busy`."""
    asset, since, dirty, end = begun.asset, begun.dirty, begun.dirty, begun.end
    if end is None:
        return Work(begun, since, since, False, _standing(asset, since, None) if is_busy else ())
    era = _era_at(begun.eras, dirty)
    until = min(end, max(dirty, era.begin) + MAX_ROWS * era.step)
    rest = bool(until < end)
    if not is_busy:
        return Work(begun, since, until, rest, ())
    since = _widened(asset, dirty, begun.gap(policy))
    return Work(begun, since, until, rest, _standing(asset, since, until if rest else None))


def few(found: Sequence[T], rows: Sequence[int]) -> list[T]:
    """The first of `found`, which have so many rows, that can be held at once; one at least."""
    total = np.cumsum(rows)
    return list(found[: max(1, int(np.searchsorted(total, MOST_ROWS, side="right")))])


def _era_at(eras: Sequence[Era], time: np.datetime64) -> Era:
    return next((era for era in reversed(eras) if era.begin <= time), eras[0])


def _widened(asset: Asset, since: np.datetime64, gap: np.timedelta64) -> np.datetime64:
    """Grown over the standing anomalies that reach to shortly before it, or beyond."""
    while True:
        near = _of(asset).filter(end__gte=to_datetime(since - gap), start__lt=to_datetime(since))
        first = near.aggregate(first=Min("start"))["first"]
        if first is None:
            return since
        since = to_datetime64(first)


def _standing(
    asset: Asset, since: np.datetime64, until: np.datetime64 | None
) -> tuple[Anomaly, ...]:
    """Those that begin in that time; until None: whenever after."""
    found = _of(asset).filter(start__gte=to_datetime(since)).select_related("sensor")
    if until is not None:
        found = found.filter(start__lt=to_datetime(until))
    return tuple(found.order_by("start"))


def _of(asset: Asset) -> AnomalyQuerySet:
    return Anomaly.objects.standing().filter(asset=asset)

"""Twenty sensors on six machines of two sites: a healthy history, then faults. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from sensors.generator.faults import FAULTS, LONGEST, Fault, Scales, inject
from sensors.generator.physics import (
    MISSING_SHARE,
    RANGES,
    Behaviour,
    as_stored,
    draw_behaviour,
    grid,
    normal_values,
)
from sensors.series import FloatArray, TimeArray

# (site, machine, kinds measured on it)
LAYOUT: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("north-plant", "pump-1", ("vibration", "pressure", "temperature", "voltage")),
    ("north-plant", "compressor-1", ("vibration", "pressure", "temperature", "humidity")),
    ("north-plant", "fan-1", ("vibration", "humidity", "voltage")),
    ("south-plant", "pump-2", ("vibration", "pressure", "temperature")),
    ("south-plant", "mill-1", ("vibration", "humidity", "voltage")),
    ("south-plant", "dryer-1", ("temperature", "humidity", "pressure")),
)

# Kinds whose sensors have an alarm limit; a limit on every sensor would leave nothing to learn.
ALARM_HIGH_KINDS = frozenset({"vibration", "temperature"})


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the timeline is and what goes wrong in it.

    Of `slots` readings a sensor the first `history` are healthy; `separation` is the least number
    of readings between two faults of a sensor.
    """

    slots: int = 1030
    history: int = 660
    interval_s: float = 600.0
    faults_per_sort: int = 4
    faults_per_sensor: int = 2
    separation: int = 60
    lead_in: int = 24
    lead_out: int = 24

    @property
    def interval(self) -> np.timedelta64:
        return np.timedelta64(round(self.interval_s * 1e6), "us")


DEFAULT_PLAN = Plan()


@dataclass(frozen=True, slots=True)
class Stream:
    """One sensor's readings in the order it sends them; the first `history` of them are healthy.

    `times` is what its clock says, `sent` when it really was. All of shape (n,).
    """

    sensor: str
    site: str
    asset: str
    kind: str
    times: TimeArray
    sent: TimeArray
    values: FloatArray
    history: int
    faults: tuple[Fault, ...]
    behaviour: Behaviour

    @property
    def alarm_high(self) -> float | None:
        """The alarm limit its sensor has: the end of the kind's range, or None."""
        return RANGES[self.kind][1] if self.kind in ALARM_HIGH_KINDS else None

    def in_event_order(self) -> tuple[TimeArray, FloatArray]:
        """times, values: shape (n,), as they lie in the store."""
        order = np.argsort(self.times, kind="stable")
        return self.times[order], self.values[order]


@dataclass(frozen=True, slots=True)
class Fleet:
    seed: int
    streams: tuple[Stream, ...]
    held_back_from: np.datetime64

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(fault for stream in self.streams for fault in stream.faults)


def generate(seed: int, until: np.datetime64, plan: Plan = DEFAULT_PLAN) -> Fleet:
    """The fleet of a seed, its last reading one interval before `until`.

    Values and faults depend on the seed alone; `until` only moves them in time.
    """
    places = [(site, asset, kind) for site, asset, kinds in LAYOUT for kind in kinds]
    sorts = _deal(len(places), plan, np.random.default_rng([seed, len(places)]))
    streams = tuple(
        labelled_stream(
            kind,
            sorts[i],
            until=until,
            rng=np.random.default_rng([seed, i]),
            plan=plan,
            place=(site, asset),
        )
        for i, (site, asset, kind) in enumerate(places)
    )
    held_back_from = until.astype("datetime64[us]") - plan.interval * (plan.slots - plan.history)
    return Fleet(seed, streams, held_back_from - plan.interval // 2)


def labelled_stream(
    kind: str,
    sorts: Iterable[str],
    *,
    until: np.datetime64,
    rng: np.random.Generator,
    plan: Plan = DEFAULT_PLAN,
    place: tuple[str, str] = ("site", "asset"),
    behaviour: Behaviour | None = None,
    day_start: np.datetime64 | None = None,
) -> Stream:
    """One sensor of a kind with faults of the given sorts, in that order, after its history.

    behaviour, day_start: of a sensor that goes on from earlier; else drawn, and the first time.
    Raises ValueError if the faults do not fit.
    """
    behaviour = behaviour or draw_behaviour(kind, rng)
    times = grid(until, plan.slots, plan.interval, rng)
    values = as_stored(kind, normal_values(behaviour, times, rng, day_start=day_start))
    present = rng.random(plan.slots) >= MISSING_SHARE
    healthy = Stream(
        sensor=f"{place[1]}.{kind}",
        site=place[0],
        asset=place[1],
        kind=kind,
        times=times[present],
        sent=times[present],
        values=values[present],
        history=int(present[: plan.history].sum()),
        faults=(),
        behaviour=behaviour,
    )
    return _with_faults(healthy, tuple(sorts), plan, rng)


def _deal(sensors: int, plan: Plan, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """The sorts of faults of each sensor. Rounds are turned so that no sensor has a sort twice."""
    faulty = len(FAULTS) * plan.faults_per_sort // plan.faults_per_sensor
    if faulty > sensors:
        raise ValueError(f"{faulty} sensors with faults are asked for, there are {sensors}")
    hand: list[list[str]] = [[] for _ in range(sensors)]
    chosen, sorts = rng.permutation(sensors)[:faulty], rng.permutation(list(FAULTS))
    for turn in range(plan.faults_per_sensor):
        for i, sensor in enumerate(chosen):
            hand[sensor].append(str(sorts[(i + 3 * turn) % len(sorts)]))
    return [tuple(sorts) for sorts in hand]


def _with_faults(
    stream: Stream, sorts: tuple[str, ...], plan: Plan, rng: np.random.Generator
) -> Stream:
    scales = Scales(stream.behaviour.noise, stream.behaviour.spread, plan.interval)
    # From the last to the first, so that a dropout does not move the rows of those before it.
    placed = _place(sorts, stream.history, len(stream.times), plan, rng)
    for sort, first, readings, size in reversed(placed):
        done = inject(
            stream.times,
            stream.values,
            sort=sort,
            first=first,
            readings=readings,
            size=size,
            scales=scales,
            rng=rng,
        )
        fault = Fault(sort, stream.sensor, done.start, done.end, size)
        stream = replace(
            stream,
            times=done.times,
            sent=stream.sent[done.kept],
            values=as_stored(stream.kind, done.values),
            faults=(fault, *stream.faults),
        )
    return stream


def _place(
    sorts: tuple[str, ...], history: int, n: int, plan: Plan, rng: np.random.Generator
) -> list[tuple[str, int, int, float]]:
    """(sort, first row, readings, size) of each fault, in time order, with random room between.

    Raises ValueError if they do not fit.
    """
    drawn = [(sort, *FAULTS[sort].draw(rng)) for sort in sorts]
    # A clock that runs ahead reaches beyond its own rows.
    lengths = [
        readings + (int(size) + 1 if sort == "clock_error" else 0) for sort, size, readings in drawn
    ]
    taken = plan.lead_in + plan.lead_out + sum(lengths) + plan.separation * max(len(sorts) - 1, 0)
    if (free := n - history - taken) < 0:
        raise ValueError(f"{len(sorts)} faults of up to {LONGEST} readings do not fit in {n} rows")
    slack = np.sort(rng.integers(0, free + 1, len(sorts)))
    placed, row = [], history + plan.lead_in
    for (sort, size, readings), length, extra in zip(drawn, lengths, slack, strict=True):
        placed.append((sort, row + int(extra), readings, size))
        row += length + plan.separation
    return placed

"""One machine whose sensors are looked at together, with one fault of its own or of a sensor. Pure.

Six sensors measure four quantities: two of them are measured twice. A fault of the machine changes
quantities, and so every sensor that measures them; a fault of an instrument changes one sensor's
readings alone.

| sort | of | effect |
|---|---|---|
| stuck_value, spike, dropout, clock_error | an instrument | as in `faults` |
| saturation | an instrument | the gain rises, and the readings end at a bound |
| calibration_drift | an instrument that has a twin | a ramp away from what its twin reads |
| level_shift, drift, growing_vibration, variance_burst | a quantity | as in `faults` |
| load_step | two or three quantities | each steps to another level at once |
| overheating | two or three | each ramps away |
| wear | vibration and one more | an oscillation builds up, the other ramps |
| surge | two or three | all are far off for one or two readings |
| trip | all but the voltage | the machine stops: vibration and pressure rest, it cools down |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sensors.generator.faults import FAULTS, Fault, FaultSort, Scales, inject
from sensors.generator.fleet import Stream
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

QUANTITIES: tuple[str, ...] = ("vibration", "temperature", "pressure", "voltage")
INSTRUMENTS: tuple[tuple[str, str], ...] = (
    ("vibration", "vibration"),
    ("temperature-a", "temperature"),
    ("temperature-b", "temperature"),
    ("pressure-a", "pressure"),
    ("pressure-b", "pressure"),
    ("voltage", "voltage"),
)
OF_INSTRUMENT = (
    *("stuck_value", "spike", "dropout", "clock_error"),
    *("saturation", "calibration_drift"),
)
OF_ONE_QUANTITY = ("level_shift", "drift", "growing_vibration", "variance_burst")
TOGETHER = ("load_step", "overheating", "wear", "surge", "trip")
SORTS = (*OF_INSTRUMENT, *OF_ONE_QUANTITY, *TOGETHER)

HISTORY, HELD_BACK, MARGIN = 660, 190, 40
INTERVAL = np.timedelta64(600, "s")
_NOISES = {"saturation": FaultSort("saturation", "noise", (9.0, 14.0), (24, 60))}
# What each fault of several quantities does to one of them.
_PARTS = {"load_step": "level_shift", "overheating": "drift", "surge": "spike"}

Quantities = dict[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Machine:
    """Its sensors' streams; those with a fault carry its label."""

    sort: str
    streams: tuple[Stream, ...]

    @property
    def is_instrument(self) -> bool:
        return self.sort in OF_INSTRUMENT


@dataclass(frozen=True, slots=True)
class _Plant:
    """What is drawn before anything goes wrong. times: shape (n,), the slots that all share."""

    times: TimeArray
    behaviours: Mapping[str, Behaviour]
    quantities: Quantities

    def scales(self, kind: str) -> Scales:
        behaviour = self.behaviours[kind]
        return Scales(behaviour.noise, behaviour.spread, INTERVAL)


def machine(sort: str, *, seed: int, until: np.datetime64) -> Machine:
    """A machine with one fault of the sort in its last HELD_BACK readings. KeyError for another."""
    if sort not in SORTS:
        raise KeyError(sort)
    rng = np.random.default_rng([seed, *sort.encode()])
    plant = _plant(until, rng)
    if sort in OF_INSTRUMENT:
        return _with_bad_instrument(plant, sort, rng)
    first, changed = _changed(plant, sort, rng)
    moved = {kind for kind in QUANTITIES if changed[kind] is not plant.quantities[kind]}
    return Machine(
        sort,
        tuple(
            _labelled(stream, sort, first, plant, changed[stream.kind])
            if stream.kind in moved
            else stream
            for stream in _streams(plant, changed, first if sort == "trip" else None, rng)
        ),
    )


def _plant(until: np.datetime64, rng: np.random.Generator) -> _Plant:
    slots = HISTORY + HELD_BACK
    times = until.astype("datetime64[us]") - INTERVAL * np.arange(slots, 0, -1)
    behaviours = {kind: draw_behaviour(kind, rng) for kind in QUANTITIES}
    quantities = {
        kind: normal_values(replace(behaviour, noise=0.0), times, rng)
        for kind, behaviour in behaviours.items()
    }
    return _Plant(times, behaviours, quantities)


def _streams(
    plant: _Plant, quantities: Quantities, stopped_at: int | None, rng: np.random.Generator
) -> tuple[Stream, ...]:
    """What the instruments read of the quantities. stopped_at: row from which nothing moves."""
    return tuple(
        _read(name, kind, plant, quantities[kind], stopped_at, rng) for name, kind in INSTRUMENTS
    )


def _read(
    name: str,
    kind: str,
    plant: _Plant,
    quantity: FloatArray,
    stopped_at: int | None,
    rng: np.random.Generator,
) -> Stream:
    """Each instrument has its own offset, gain, noise, jitter and missing readings."""
    behaviour, n = plant.behaviours[kind], len(plant.times)
    own = replace(behaviour, operating_point=0.0, swing=0.0, wander=0.0)
    noise = normal_values(own, plant.times, rng)
    if stopped_at is not None and kind in {"vibration", "pressure"}:
        noise[stopped_at:] = 0.0
    gain, offset = rng.uniform(0.98, 1.02), rng.normal() * behaviour.noise
    middle = behaviour.operating_point
    values = middle + gain * (quantity - middle) + offset + noise
    times = grid(plant.times[-1] + INTERVAL, n, INTERVAL, rng)
    kept = rng.random(n) >= MISSING_SHARE
    return Stream(
        sensor=f"machine.{name}",
        site="site",
        asset="machine",
        kind=kind,
        times=times[kept],
        sent=times[kept],
        values=as_stored(kind, values[kept]),
        history=int(kept[:HISTORY].sum()),
        faults=(),
        behaviour=behaviour,
    )


def _changed(plant: _Plant, sort: str, rng: np.random.Generator) -> tuple[int, Quantities]:
    """The first row of the fault, and the quantities with it."""
    if sort == "trip":
        first = _first_row(len(plant.times), 60, rng)
        return first, _stopped(plant, first, rng)
    parts = _parts_of(sort, rng)
    drawn = FAULTS[next(iter(parts.values()))].draw(rng)[1]
    first = _first_row(len(plant.times), drawn, rng)
    changed = dict(plant.quantities)
    for kind, part in parts.items():
        # The machine tells its quantities of the fault within a reading or two; a surge at once.
        lag = 0 if sort in {"surge", *OF_ONE_QUANTITY} else int(rng.integers(0, 3))
        size = FAULTS[part].draw(rng)[0]
        values = plant.quantities[kind]
        changed[kind] = _injected(plant, kind, values, part, first + lag, drawn, size, rng)
    return first, changed


def _injected(
    plant: _Plant,
    kind: str,
    values: FloatArray,
    part: str,
    first: int,
    readings: int,
    size: float,
    rng: np.random.Generator,
) -> FloatArray:
    scales = plant.scales(kind)
    done = inject(
        plant.times, values, sort=part, first=first, readings=readings, size=size, scales=scales,
        rng=rng,
    )  # fmt: skip
    return done.values


def _parts_of(sort: str, rng: np.random.Generator) -> dict[str, str]:
    """Which quantities a fault changes, and how."""
    if sort in OF_ONE_QUANTITY:
        return {str(rng.choice(QUANTITIES)): sort}
    if sort == "wear":
        other = str(rng.choice(QUANTITIES[1:]))
        return {"vibration": "growing_vibration", other: "drift"}
    some = rng.permutation(QUANTITIES)[: rng.integers(2, 4)]
    return {str(kind): _PARTS[sort] for kind in some}


def _stopped(plant: _Plant, first: int, rng: np.random.Generator) -> Quantities:
    """Vibration and pressure rest from that row to the end, the temperature falls to the room's."""
    changed = dict(plant.quantities)
    for kind in ("vibration", "pressure"):
        changed[kind] = changed[kind].copy()
        changed[kind][first:] = RANGES[kind][0] / 2
    warm = changed["temperature"].copy()
    room = RANGES["temperature"][0] - 2.0
    hours = np.arange(len(warm) - first) / 6
    warm[first:] = room + (warm[first] - room) * np.exp(-hours / rng.uniform(2, 6))
    return changed | {"temperature": warm}


def _first_row(n: int, readings: int, rng: np.random.Generator) -> int:
    return int(rng.integers(HISTORY + MARGIN, n - MARGIN - readings))


def _labelled(stream: Stream, sort: str, first: int, plant: _Plant, changed: FloatArray) -> Stream:
    """With the label of a fault of the machine, over the rows that it changed."""
    rows = np.flatnonzero(changed != plant.quantities[stream.kind])
    half = INTERVAL // 2
    start, end = plant.times[max(first, rows[0])] - half, plant.times[rows[-1]] + half
    return replace(stream, faults=(Fault(sort, stream.sensor, start, end, 0.0),))


def _with_bad_instrument(plant: _Plant, sort: str, rng: np.random.Generator) -> Machine:
    streams = list(_streams(plant, plant.quantities, None, rng))
    twins = [i for i, (name, _) in enumerate(INSTRUMENTS) if name[-2:] in {"-a", "-b"}]
    chosen = int(rng.choice(twins if sort == "calibration_drift" else len(streams)))
    streams[chosen] = _broken(streams[chosen], sort, plant.scales(streams[chosen].kind), rng)
    return Machine(sort, tuple(streams))


def _broken(stream: Stream, sort: str, scales: Scales, rng: np.random.Generator) -> Stream:
    """The instrument's readings with the fault, and its label."""
    drawn = {**FAULTS, **_NOISES, "calibration_drift": FAULTS["drift"]}[sort]
    size, readings = drawn.draw(rng)
    room = readings + (int(size) + 1 if sort == "clock_error" else 0)
    first = stream.history + MARGIN + int(rng.integers(0, HELD_BACK - 3 * MARGIN - room + 30))
    effect = "drift" if sort == "calibration_drift" else sort
    if sort == "saturation":
        return _clipped(stream, first, readings, size * scales.noise)
    done = inject(
        stream.times, stream.values, sort=effect, first=first, readings=readings, size=size,
        scales=scales, rng=rng,
    )  # fmt: skip
    return replace(
        stream,
        times=done.times,
        sent=stream.sent[done.kept],
        values=as_stored(stream.kind, done.values),
        faults=(Fault(sort, stream.sensor, done.start, done.end, size),),
    )


def _clipped(stream: Stream, first: int, readings: int, above: float) -> Stream:
    """The amplifier's gain rises by half as much again as it takes to reach the bound, which lies
    `above` over the level: most readings end there, those of the daily low may not."""
    rows = slice(first, first + readings)
    values = stream.values.copy()
    bound = float(np.median(values[rows])) + above
    values[rows] = np.minimum(values[rows] + 1.25 * above, bound)
    fault = Fault("saturation", stream.sensor, stream.times[first], stream.times[rows][-1], above)
    return replace(stream, values=as_stored(stream.kind, values), faults=(fault,))

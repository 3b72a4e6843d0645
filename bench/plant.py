"""Six months of a plant with labelled faults, and with what detectors flag and nobody minds. Pure.

Twelve sensors on six machines, a reading every ten minutes unless asked otherwise. Four of them see
a compressor start every working day, four stand next to a door; faults come to all of them alike.
Faults and nuisances last so many readings, however far apart these are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sensors.generator import (
    FAULTS,
    RANGES,
    Scales,
    as_stored,
    draw_behaviour,
    inject,
    normal_values,
)
from sensors.series import FloatArray, TimeArray

BEGIN = np.datetime64("2026-01-05", "us")  # a Monday
STEP = np.timedelta64(600, "s")
A_DAY = 144
DAYS = 182
HALF = 91
KINDS = tuple(RANGES)
SORTS = ("level_shift", "drift", "growing_vibration", "variance_burst", "spike")
SENSORS, FAULTS_A_SENSOR = 12, 5
SETTLED_DAYS = 14
NUISANCES = ("compressor", "door", "")
COMPRESSOR_HOURS, COMPRESSOR_JITTER_H = (5.0, 8.0), 0.25
COMPRESSOR_NOISE, DOOR_NOISE = (9.0, 14.0), (8.0, 15.0)
DOOR_HOURS, DOORS_A_DAY = (7.0, 18.0), 0.8


@dataclass(frozen=True, slots=True)
class Label:
    sort: str
    start: np.datetime64
    end: np.datetime64


@dataclass(frozen=True, slots=True)
class Track:
    """One sensor's readings: shape (n,), in event order."""

    name: str
    machine: str
    kind: str
    nuisance: str
    times: TimeArray
    values: FloatArray
    faults: tuple[Label, ...]


def plant(seed: int, a_day: int = A_DAY) -> list[Track]:
    """Everything is a function of the seed and of how many readings a day has, which divides its
    seconds. Each half has six faults of each sort."""
    hand = _deal(np.random.default_rng([seed, 7]))
    rngs = [np.random.default_rng([seed, i]) for i in range(SENSORS)]
    return [_track(i, hand[i], a_day, rng) for i, rng in enumerate(rngs)]


def _deal(rng: np.random.Generator) -> list[list[tuple[int, str]]]:
    """(half, sort) of the faults of each sensor: 30 a half, five a sensor."""
    hands: list[list[tuple[int, str]]] = [[] for _ in range(SENSORS)]
    for half in (0, 1):
        sorts = rng.permutation(np.repeat(SORTS, SENSORS * FAULTS_A_SENSOR // 2 // len(SORTS)))
        # Two or three a half, the other way round in the other half.
        room = [s for s in range(SENSORS) for _ in range(2 + (s + half) % 2)]
        for sensor, sort in zip(room, sorts, strict=True):
            hands[sensor].append((half, str(sort)))
    return hands


def _track(number: int, hand: list[tuple[int, str]], a_day: int, rng: np.random.Generator) -> Track:
    kind, nuisance = KINDS[number % len(KINDS)], NUISANCES[number % len(NUISANCES)]
    behaviour = draw_behaviour(kind, rng)
    step = STEP * A_DAY // a_day
    times = BEGIN + np.arange(DAYS * a_day) * step
    values = normal_values(behaviour, times, rng)
    values += behaviour.noise * _nuisance(nuisance, a_day, rng)
    scales = Scales(behaviour.noise, behaviour.spread, step)
    faults = []
    for sort, first in _placed(hand, a_day, rng):
        size, rows = FAULTS[sort].draw(rng)
        done = inject(times, values, sort=sort, first=first, readings=rows, size=size,
                      scales=scales, rng=rng)  # fmt: skip
        values = done.values
        faults.append(Label(sort, done.start, done.end))
    machine = f"machine-{number // 2 + 1}"
    name = f"{machine}.{kind}"
    return Track(
        name, machine, kind, nuisance, times, as_stored(kind, values), tuple(faults)
    )  # fmt: skip


def _placed(
    hand: list[tuple[int, str]], a_day: int, rng: np.random.Generator
) -> Iterator[tuple[str, int]]:
    """(sort, first row): each half is cut into as many stretches as it has faults."""
    for half in (0, 1):
        own = [sort for part, sort in hand if part == half]
        begin, end = (SETTLED_DAYS, HALF) if half == 0 else (HALF, DAYS)
        cuts = np.linspace(begin, end, len(own) + 1)
        for sort, low, high in zip(own, cuts, cuts[1:], strict=False):
            yield sort, int(rng.uniform(low + 1, high - 3) * a_day)


def _nuisance(sort: str, a_day: int, rng: np.random.Generator) -> FloatArray:
    """In units of the sensor's noise: shape (DAYS * a_day,)."""
    found = np.zeros(DAYS * a_day)
    hour = rng.uniform(*COMPRESSOR_HOURS)
    for day in range(DAYS):
        if day % 7 == 6 or not sort:
            continue
        if sort == "compressor":
            at = day * 24 + hour + COMPRESSOR_JITTER_H * rng.normal()
            _add(found, at * a_day / 24, rng.uniform(*COMPRESSOR_NOISE) * np.array([1.0, 0.6, 0.2]))
            continue
        for _ in range(rng.poisson(DOORS_A_DAY)):
            at = day * 24 + rng.uniform(*DOOR_HOURS)
            opened = np.exp(-np.arange(rng.integers(3, 7)) / 2)
            _add(found, at * a_day / 24, -rng.uniform(*DOOR_NOISE) * opened)
    return found


def _add(found: FloatArray, row: float, shape: FloatArray) -> None:
    first = int(row)
    room = found[first : first + len(shape)]
    room += shape[: len(room)]

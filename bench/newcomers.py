"""What the fleet's prior is worth to a new sensor: its first readings judged with it and without.

    python -m bench.newcomers --seed 8001

Through the production scoring, on generated sensors: a fleet of each kind with 30 days of history
lends the prior (and the champion), sensors of other seeds are new. Healthy ones say how many false
alarms come within the first 500 readings; ones with a fault of each sort, by how many readings they
have when it begins, say how many faults are found. An alarm counts for a fault if it overlaps it,
with an hour's grace.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from anomalies import folding
from anomalies.alarm_rate import DAYS
from anomalies.detection_policy import DetectionPolicy
from anomalies.familiar.look import Asked, Past, look_again
from anomalies.newcomers import Fleet, with_fleet
from anomalies.scored import Scored, ranges
from anomalies.scoring import score_stretches, with_core
from anomalies.stretch import Limits, Stretch
from bench.alarm_rate import LEARNT, champion_of, stretches_of
from mlops.detectors import fleet
from mlops.detectors.base import Detector
from mlops.detectors.newcomer import ROWS
from sensors.generator import FAULTS, RANGES, Scales, draw_behaviour, inject, normal_values
from sensors.generator.physics import as_stored
from sensors.kinds import kind_named
from sensors.series import Series, TimeArray

BEGIN = np.datetime64("2026-06-01", "us")
INTERVAL = np.timedelta64(600, "s")
ONSETS = ((6, 50), (50, 150), (150, 430))  # readings before the fault
GRACE = np.timedelta64(3600, "s")
POLICY = DetectionPolicy()


@dataclass(frozen=True, slots=True)
class Case:
    """A new sensor; start and end of its fault in event time, None where it is healthy."""

    kind: str
    sort: str
    stretch: Stretch
    start: np.datetime64 | None = None
    end: np.datetime64 | None = None


@dataclass(frozen=True, slots=True)
class Judges:
    own: Fleet | None
    champion: Detector | None


def healthy(kind: str, rng: np.random.Generator) -> Case:
    times, values, _ = _readings(kind, rng)
    return Case(kind, "", _stretch(times, values))


def faulty(kind: str, sort: str, onset: tuple[int, int], rng: np.random.Generator) -> Case:
    times, values, scales = _readings(kind, rng)
    size, readings = FAULTS[sort].draw(rng)
    found = inject(
        times,
        values,
        sort=sort,
        first=int(rng.integers(*onset)),
        readings=min(readings, ROWS - ONSETS[-1][-1] - 2),
        size=size,
        scales=scales,
        rng=rng,
    )
    order = np.argsort(found.times, kind="stable")
    stretch = _stretch(found.times[order], as_stored(kind, found.values[order]))
    return Case(kind, sort, stretch, found.start, found.end)


def _readings(kind: str, rng: np.random.Generator) -> tuple[TimeArray, np.ndarray, Scales]:
    behaviour = draw_behaviour(kind, rng)
    times = BEGIN + np.arange(ROWS) * INTERVAL
    # A sensor is mounted at any time of day.
    values = normal_values(behaviour, times, rng)
    return times, as_stored(kind, values), Scales(behaviour.noise, behaviour.spread, INTERVAL)


def _stretch(times: TimeArray, values: np.ndarray) -> Stretch:
    return Stretch(Series(times, values, np.ones(len(values))), 0, Limits())


def judges(kind: str, sensors: int, seed: int) -> Iterator[tuple[str, Judges]]:
    """By name: with the fleet's prior and without, before there is a champion and with one."""
    known = stretches_of(kind, sensors, seed)
    histories = [stretch.values[:LEARNT] for stretch in known]
    prior = fleet.learn(histories, INTERVAL / np.timedelta64(1, "s"))
    own = None if prior is None else Fleet(f"fleet-{kind}", 1, BEGIN, prior)
    champion = champion_of(known)
    yield "no champion, no prior", Judges(None, None)
    yield "no champion, prior", Judges(own, None)
    yield "champion, no prior", Judges(None, champion)
    yield "champion, prior", Judges(own, champion)


def judged(case: Case, by: Judges) -> Scored:
    stretch = case.stretch
    past = Past.of(stretch.series, only_rises=kind_named(case.kind).worsens > 0)
    core = folding.fold(folding.beginning(), stretch.series).judged
    by_rung = score_stretches([stretch], by.champion, POLICY)[0]
    looked = look_again([Asked(stretch, by_rung, past, POLICY)])[0]
    scored = with_core(looked, core, folding.rarity(core), POLICY)
    return scored if by.own is None else with_fleet(scored, stretch, by.own)


def alarms(case: Case, by: Judges) -> list[bool]:
    """Of each alarm whether it is of the fault."""
    times = case.stretch.times
    spans = [(times[r.start], times[r.end]) for r in ranges(judged(case, by).scores, POLICY)]
    if case.start is None or case.end is None:
        return [False for _ in spans]
    return [end >= case.start and start <= case.end + GRACE for start, end in spans]


Found = dict[tuple[str, tuple[int, int]], list[float]]


def measure(sensors: int, calm: int, each: int, seed: int) -> dict[str, Found]:
    """By judge: false alarms of each healthy sensor under "", by sort and onset whether found."""
    found: dict[str, Found] = {}
    for number, kind in enumerate(RANGES):
        rngs = (np.random.default_rng([seed, number, i]) for i in count())
        cases = [(("", (0, 0)), healthy(kind, next(rngs))) for _ in range(calm)]
        cases += [
            ((sort, onset), faulty(kind, sort, onset, next(rngs)))
            for sort in FAULTS
            for onset in ONSETS
            for _ in range(each)
        ]
        for name, by in judges(kind, sensors, seed + 500):
            for key, case in cases:
                given = alarms(case, by)
                value = float(any(given)) if case.sort else float(len(given))
                found.setdefault(name, {}).setdefault(key, []).append(value)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=8001)
    parser.add_argument("--fleet", type=int, default=8, help="sensors that lend the prior, a kind")
    parser.add_argument("--healthy", type=int, default=40, help="new sensors a kind")
    parser.add_argument("--faulty", type=int, default=10, help="new sensors a kind, sort and onset")
    options = parser.parse_args()
    found = measure(options.fleet, options.healthy, options.faulty, options.seed)
    months = ROWS * (INTERVAL / np.timedelta64(1, "D")) / DAYS
    for name, own in found.items():
        print(f"{name}: {np.mean(own['', (0, 0)]) / months:.2f} false alarms a sensor-month")
        for onset in ONSETS:
            recalls = {sort: float(np.mean(own[sort, onset])) for sort in FAULTS}
            each = "  ".join(f"{sort} {recall:.2f}" for sort, recall in recalls.items())
            mean = float(np.mean(list(recalls.values())))
            print(f"  from reading {onset[0]} to {onset[1]}: recall {mean:.3f}  {each}")


if __name__ == "__main__":
    main()

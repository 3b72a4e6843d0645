"""Instrument or machine? Detection and routing on machines with one fault each.

    python -m bench.routing --seeds 101-103          # develop on these
    python -m bench.routing --seeds 31-44            # 15 sorts a seed: 210 faults
    python -m bench.routing --seeds 101-103 --fleet  # the demo's fleets: 32 faults a seed

A fault counts as routed rightly if every anomaly that overlaps it on its sensors is; one that no
anomaly overlaps is missed, and counts as wrong. Scores come from the rung that serves without a
registry.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomalies import nature
from anomalies.detection_policy import DetectionPolicy
from anomalies.scored import ranges
from anomalies.scoring import score_stretches
from anomalies.stretch import Limits, Stretch
from bench.seeds import seed_range
from mlops import features
from sensors.generator import Fault, Stream, generate
from sensors.generator.machines import OF_INSTRUMENT, SORTS, TOGETHER, machine
from sensors.kinds import kind_named
from sensors.series import Series

UNTIL = np.datetime64("2026-05-04T00:00", "us")


@dataclass(frozen=True, slots=True)
class Routed:
    """What became of one fault: the rulings of all anomalies that overlap it."""

    sort: str
    seed: int
    rulings: tuple[nature.Ruling, ...]

    @property
    def wanted(self) -> str:
        return nature.INSTRUMENT if self.sort in OF_INSTRUMENT else nature.MACHINE

    @property
    def is_right(self) -> bool:
        return bool(self.rulings) and all(r.nature == self.wanted for r in self.rulings)

    @property
    def is_diverted(self) -> bool:
        wrong = nature.INSTRUMENT
        return self.sort in TOGETHER and any(r.nature == wrong for r in self.rulings)


def on_machine(seed: int) -> list[Routed]:
    """Each sort on a machine of its own, through detection and routing."""
    plants = [machine(sort, seed=seed, until=UNTIL) for sort in SORTS]
    return [
        Routed(plant.sort, seed, tuple(ruling for _, ruling in _rulings(plant.streams)))
        for plant in plants
    ]


def on_fleet(seed: int) -> list[Routed]:
    """The demo's faults, many of them on one machine at once, each on one sensor."""
    fleet = generate(seed, UNTIL)
    places = dict.fromkeys((stream.site, stream.asset) for stream in fleet.streams)
    found = []
    for place in places:
        streams = [s for s in fleet.streams if (s.site, s.asset) == place]
        rulings = _rulings(streams)
        found += [
            Routed(fault.sort, seed, tuple(ruling for of, ruling in rulings if of is fault))
            for stream in streams
            for fault in stream.faults
        ]
    return found


def _rulings(streams: Sequence[Stream]) -> list[tuple[Fault, nature.Ruling]]:
    """Of each anomaly that overlaps a fault of its sensor."""
    policy, found = DetectionPolicy(), []
    faulty = [stream for stream in streams if stream.faults]
    scored = score_stretches([_stretch(stream) for stream in faulty], None, policy)
    for stream, result in zip(faulty, scored, strict=True):
        times = stream.in_event_order()[0]
        found += [
            (fault, _ruling(streams, stream, one.start, one.end))
            for one in ranges(result.scores, policy)
            for fault in stream.faults
            if times[one.end] >= fault.start and times[one.start] <= fault.end
        ]
    return found


def _stretch(stream: Stream) -> Stretch:
    kind = kind_named(stream.kind)
    limits = Limits(kind.physical_min, kind.physical_max, None, None)
    times, values = stream.in_event_order()
    return Stretch(Series(times, values, np.ones(len(times))), 0, limits)


def _ruling(streams: Sequence[Stream], stream: Stream, start: int, end: int) -> nature.Ruling:
    """As routing does it from the database: the same rows and no others."""
    times, _ = stream.in_event_order()
    first = max(start - nature.MARGIN_ROWS, 0)
    last = min(min(end, start + nature.MOST_ROWS) + nature.MARGIN_ROWS, len(times) - 1)
    others = [s for s in streams if s is not stream]
    kind = kind_named(stream.kind)
    return nature.decide(
        _track(stream, times[first], times[last]),
        [_track(other, times[first], times[last]) for other in others],
        start=times[start],
        end=times[end],
        bounds=nature.Bounds(kind.physical_min, kind.physical_max),
    )


def _track(stream: Stream, since: np.datetime64, until: np.datetime64) -> nature.Track:
    times, values = stream.in_event_order()
    first, stop = np.searchsorted(times, since), np.searchsorted(times, until, side="right")
    begin = max(int(first) - features.CONTEXT_ROWS, 0)
    return nature.Track(
        stream.sensor, stream.kind, times[begin:stop], values[begin:stop], int(first) - begin
    )


def main() -> int:
    options = _options()
    on = on_fleet if options.fleet else on_machine
    found = [one for seed in options.seeds for one in on(seed)]
    _print_table(found)
    if options.verbose:
        for one in found:
            if not one.is_right:
                print(f"  seed {one.seed} {one.sort}: {one.rulings or 'missed'}")
    diverted = sum(one.is_diverted for one in found)
    return int(diverted > 0 or sum(one.is_right for one in found) < 0.95 * len(found))


def _print_table(found: list[Routed]) -> None:
    print(f"{'fault':<20}{'who':<12}{'right':>6}{'missed':>8}{'of':>4}  sorts named")
    for sort in dict.fromkeys(one.sort for one in sorted(found, key=_order)):
        ours = [one for one in found if one.sort == sort]
        named = Counter(r.sort or r.nature for one in ours for r in one.rulings)
        right, missed = sum(o.is_right for o in ours), sum(not o.rulings for o in ours)
        names = ", ".join(f"{name} {count}" for name, count in named.most_common())
        print(f"{sort:<20}{ours[0].wanted:<12}{right:>6}{missed:>8}{len(ours):>4}  {names}")
    right, n = sum(one.is_right for one in found), len(found)
    seen = [one for one in found if one.rulings]
    print(f"all: {right} of {n} routed rightly ({right / n:.3f})")
    print(f"of the {len(seen)} that were found: {sum(o.is_right for o in seen) / len(seen):.3f}")
    print(f"faults of several sensors diverted: {sum(one.is_diverted for one in found)}")


def _order(one: Routed) -> int:
    return SORTS.index(one.sort)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=seed_range, default=range(101, 104))
    parser.add_argument("--fleet", action="store_true", help="On the demo's fleets.")
    parser.add_argument("--verbose", action="store_true", help="Name each fault routed wrongly.")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

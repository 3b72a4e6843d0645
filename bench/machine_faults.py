"""Which faults of a machine its sensors show together: the joint fold alone, sort by sort.

    python -m bench.machine_faults --seeds 5301-5310

Generated machines of six sensors that measure four quantities, with one fault each after 660
readings of health, of which 600 are learnt from once all sensors are known. Found is a fault where
an anomaly begins between its start and a window after its end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from anomalies.detection_policy import DetectionPolicy
from anomalies.machines import fold
from anomalies.machines.alarms import merge_gap_rows, scores_of
from anomalies.machines.fold import Judged
from anomalies.machines.grid import Era, Member, Rows, eras, table
from anomalies.scored import Range, ranges
from bench.seeds import seed_range
from sensors.clocks import IntArray
from sensors.generator import Stream
from sensors.generator.machines import OF_INSTRUMENT, OF_ONE_QUANTITY, TOGETHER, machine
from sensors.series import FloatArray, TimeArray

UNTIL = np.datetime64("2026-05-04T00:00", "us")
FRESH_SEEDS = range(5301, 5311)
GROUPS = {
    "several sensors": TOGETHER,
    "one quantity": OF_ONE_QUANTITY,
    "an instrument": OF_INSTRUMENT,
}
POLICY = DetectionPolicy()


def rows_of(streams: Sequence[Stream]) -> tuple[Era, Rows]:
    """What the sensors sent from when all are known, on the grid that production lays."""
    sent = [stream.in_event_order() for stream in streams]
    members = [Member.of(number, times) for number, (times, _) in enumerate(sent)]
    era = eras([member for member in members if member is not None])[-1]
    parts = [_means(era, number, *each) for number, each in enumerate(sent)]
    sensors, times, means = (np.concatenate(column) for column in zip(*parts, strict=True))
    return era, table(era, sensors, times, means)


def _means(
    era: Era, number: int, times: TimeArray, values: FloatArray
) -> tuple[IntArray, TimeArray, FloatArray]:
    kept = times >= era.begin
    starts, row = np.unique(times[kept] - (times[kept] - era.begin) % era.step, return_inverse=True)
    means = np.bincount(row, values[kept]) / np.bincount(row)
    return np.full(len(starts), number), starts, means


def anomalies_of(judged: Judged) -> list[Range]:
    """As production makes them."""
    joining = replace(POLICY, merge_gap_rows=merge_gap_rows(judged.era, POLICY))
    return ranges(scores_of(judged, POLICY), joining)


def is_found(streams: Sequence[Stream]) -> bool:
    era, rows = rows_of(streams)
    judged, _, _ = fold.fold(era, fold.beginning(era), rows)
    faults = [fault for stream in streams for fault in stream.faults]
    first = min(fault.start for fault in faults)
    last = max(fault.end for fault in faults) + era.step * era.fold.window_rows
    begun = judged.times[[one.start for one in anomalies_of(judged)]]
    return bool(((begun >= first - era.step) & (begun <= last)).any())


def found_of(sorts: Iterable[str], seeds: Iterable[int]) -> dict[str, int]:
    """Sort to how many of its faults are found."""
    return {
        sort: sum(is_found(machine(sort, seed=seed, until=UNTIL).streams) for seed in seeds)
        for sort in sorts
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=seed_range, default=range(101, 104))
    seeds = parser.parse_args().seeds
    for group, sorts in GROUPS.items():
        for sort, count in found_of(sorts, seeds).items():
            print(f"{group:<18}{sort:<20}{count:>4} of {len(seeds)}", flush=True)


if __name__ == "__main__":
    main()

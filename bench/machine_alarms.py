"""How often the sensors of healthy machines alarm together, and whether they do when they should.

    python -m bench.machine_alarms --seeds 301 302 303 304

Machines of the generator's layout without any fault, a reading every ten minutes, judged by the
joint fold at several settings; alarms are ranges as production makes them: in all, with the 90 %
interval over machines, and by how often the fold had learnt. Then machines of three sensors that
share a load, in each of which one ceases to follow it for a day, within its own range: how many are
found at the setting of 1, and after how many readings.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from anomalies.alarm_rate import DAYS
from anomalies.detection_policy import DetectionPolicy
from anomalies.machines.alarms import merge_gap_rows, scores_of
from anomalies.machines.fold import Judged
from anomalies.machines.grid import Era
from anomalies.scored import ranges
from mlops.detectors.streaming.alarm import USUAL_WARMUP
from mlops.metrics import bootstrap_interval
from sensors.generator import LAYOUT, normal
from sensors.series import FloatArray

JUDGED_DAYS, STEP_S, SEEDS = 60, 600, (301, 302, 303, 304)
BROKEN_AT, BROKEN_ROWS, BROKEN_MACHINES = 1000, 150, 20  # a machine of each seed in turn
SETTINGS = (0.5, 1.0, 3.0)
FITS = 3  # that are counted apart: the first, the second, all later ones


def machines(seeds: Sequence[int] = SEEDS) -> Iterator[Judged]:
    rows = USUAL_WARMUP + JUDGED_DAYS * 86_400 // STEP_S
    times = np.datetime64("2026-01-05", "us") + np.arange(rows) * np.timedelta64(STEP_S, "s")
    for seed in seeds:
        for number, (_, _, kinds) in enumerate(LAYOUT):
            columns = [
                normal(kind, times, np.random.default_rng([seed, number, sensor]))
                for sensor, kind in enumerate(kinds)
            ]
            era = Era(times[0], STEP_S, tuple(range(len(kinds))))
            _, found = era.fold.judge(era.fold.start(), times, np.column_stack(columns))
            yield Judged(era, times, found.parts, ((0, found),))


def alarms(judged: Judged, setting: float) -> int:
    return len(_begun(judged, setting))


def _begun(judged: Judged, setting: float) -> list[int]:
    """The rows at which it begins to alarm."""
    policy = replace(DetectionPolicy(), false_alarms=setting)
    joining = replace(policy, merge_gap_rows=merge_gap_rows(judged.era, policy))
    return [one.start for one in ranges(scores_of(judged, policy), joining)]


def rates(found: Sequence[Judged], setting: float) -> FloatArray:
    """Alarms in 30 days of each machine, shape (n,)."""
    return np.array([alarms(one, setting) for one in found]) * DAYS / JUDGED_DAYS


def by_fit(found: Sequence[Judged], setting: float) -> list[float]:
    """Alarms a machine and 30 days, while it is judged by its first fit, its second, later ones."""
    given, judged_days = np.zeros(FITS), np.zeros(FITS)
    for one in found:
        ((_, judgement),) = one.judgements
        firsts = [row for row, _ in judgement.fits]
        lengths = np.diff([*firsts, len(one.times)])
        fits = np.minimum(np.arange(len(firsts)), FITS - 1)
        judged_days += np.bincount(fits, lengths * STEP_S / 86_400, FITS)
        begun = np.searchsorted(firsts, _begun(one, setting), side="right") - 1
        given += np.bincount(fits[begun], minlength=FITS)
    return list(given / judged_days * DAYS)


def broken(seed: int) -> FloatArray:
    """Three sensors of one load; the second mirrors it while it is broken: (rows, 3)."""
    rng, rows = np.random.default_rng([seed, 3]), BROKEN_AT + BROKEN_ROWS
    load = np.zeros(rows)
    for row in range(1, rows):
        load[row] = 0.95 * load[row - 1] + rng.normal()
    load = np.tanh(load / 3)
    load[BROKEN_AT:] *= 0.9
    values = np.column_stack([load, 2 * load, -load]) + rng.uniform(-0.1, 0.1, size=(rows, 3))
    values[BROKEN_AT:, 1] *= -1.0
    return values


def delay(seed: int) -> int | None:
    """Readings until it is an alarm; None where it is none."""
    values = broken(seed)
    times = np.datetime64("2026-01-05", "us") + np.arange(len(values)) * np.timedelta64(STEP_S, "s")
    era = Era(times[0], STEP_S, (1, 2, 3))
    _, found = era.fold.judge(era.fold.start(), times, values)
    scores = scores_of(Judged(era, times, found.parts, ((0, found),)), DetectionPolicy())
    alarms = np.flatnonzero(scores[BROKEN_AT:] >= DetectionPolicy().alarm_level)
    return int(alarms[0]) if len(alarms) else None


def _given(found: Sequence[Judged], setting: float) -> str:
    rate = rates(found, setting)
    low, high = bootstrap_interval(
        lambda drawn: float(rate[drawn].mean()), len(rate), rng=np.random.default_rng(0)
    )
    first, second, later = by_fit(found, setting)
    return (
        f"mean {rate.mean():.2f} ({low:.2f} to {high:.2f}), median {np.median(rate):.2f}, "
        f"worst {rate.max():.2f}; by the first fit {first:.2f}, the second {second:.2f}, "
        f"later ones {later:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    seeds = parser.parse_args().seeds
    found = list(machines(seeds))
    print(f"{len(found)} healthy machines, {JUDGED_DAYS} days")
    for setting in SETTINGS:
        print(f"promised {setting:g} in {DAYS} days: {_given(found, setting)}")
    delays = [delay(seed * 1000 + number) for seed in seeds for number in range(BROKEN_MACHINES)]
    found_after = [one for one in delays if one is not None]
    print(
        f"{len(found_after)} of {len(delays)} broken relations found, median after "
        f"{np.median(found_after):g} readings, last after {max(found_after)}"
    )


if __name__ == "__main__":
    main()

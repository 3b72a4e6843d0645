"""How often the sensors of healthy machines alarm together, at several settings.

    python -m bench.machine_alarms

Machines of the generator's layout without any fault, a reading every ten minutes, judged by the
joint fold; alarms are ranges as production makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from anomalies.alarm_rate import DAYS
from anomalies.detection_policy import DetectionPolicy
from anomalies.machines.alarms import merge_gap_rows, scores_of
from anomalies.machines.fold import Judged
from anomalies.machines.grid import Era
from anomalies.scoring import ranges
from mlops.detectors.streaming.alarm import USUAL_WARMUP
from sensors.generator import LAYOUT, normal

JUDGED_DAYS, STEP_S, SEEDS = 60, 600, (301, 302, 303, 304)
SETTINGS = (0.5, 1.0, 3.0)


def machines() -> Iterator[Judged]:
    rows = USUAL_WARMUP + JUDGED_DAYS * 86_400 // STEP_S
    times = np.datetime64("2026-01-05", "us") + np.arange(rows) * np.timedelta64(STEP_S, "s")
    for seed in SEEDS:
        for number, (_, _, kinds) in enumerate(LAYOUT):
            columns = [
                normal(kind, times, np.random.default_rng([seed, number, sensor]))
                for sensor, kind in enumerate(kinds)
            ]
            era = Era(times[0], STEP_S, tuple(range(len(kinds))))
            _, found = era.fold.judge(era.fold.start(), times, np.column_stack(columns))
            yield Judged(era, times, found.parts, ((0, found),))


def alarms(judged: Judged, setting: float) -> int:
    policy = replace(DetectionPolicy(), false_alarms=setting)
    joining = replace(policy, merge_gap_rows=merge_gap_rows(judged.era, policy))
    return len(ranges(scores_of(judged, policy), joining))


def main() -> None:
    found = list(machines())
    print(f"{len(found)} healthy machines, {JUDGED_DAYS} days")
    for setting in SETTINGS:
        rate = np.array([alarms(one, setting) for one in found]) * DAYS / JUDGED_DAYS
        print(
            f"promised {setting:g} in {DAYS} days: mean {rate.mean():.2f}, median "
            f"{np.median(rate):.2f}, worst {rate.max():.2f}"
        )


if __name__ == "__main__":
    main()

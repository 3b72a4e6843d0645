"""False anomalies of machines as a whole while the calendar does something to them.

    python -m bench.machine_calendar --seeds 9601-9612

Three sensors that follow the shifts of their machine, a reading every ten minutes, 33 days. Counted
are the anomalies from day 20 on, of machines of which nothing happens and of those that rest for a
week, or at weekends, or whose site changes its clock on day 20 while they keep its hours.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from anomalies.detection_policy import DetectionPolicy
from anomalies.machines.alarms import merge_gap_rows, scores_of
from anomalies.machines.fold import Judged
from anomalies.machines.grid import Era
from anomalies.scored import ranges
from bench.clock_changes import A_DAY, STEP, WHEN, ZONE, hours_of
from bench.seeds import seed_range
from sensors.series import FloatArray, TimeArray, to_datetime64

DAYS, KNOWN = 33, 20
SWING = (10.0, 5.0, -8.0)  # of each sensor about 50, between work and rest
POLICY = DetectionPolicy()
CASES = ("nothing", "a week's holiday", "weekends", *WHEN)


def times_of(change: datetime) -> TimeArray:
    return to_datetime64(change - timedelta(days=KNOWN)) + np.arange(DAYS * A_DAY) * STEP


def works(case: str, times: TimeArray) -> NDArray[np.bool_]:
    """From six to ten at night, by the clock of the site."""
    hours = hours_of(times, WHEN.get(case, WHEN["spring"]), local=case in WHEN)
    day = np.arange(len(times)) // A_DAY
    on = (hours >= 6) & (hours < 22)
    if case == "a week's holiday":
        return np.asarray(on & ((day < KNOWN) | (day >= KNOWN + 7)))
    return np.asarray(on & (day % 7 < 5)) if case == "weekends" else np.asarray(on)


def values_of(on: NDArray[np.bool_], seed: int) -> FloatArray:
    def noise(sensor: int) -> FloatArray:
        own = np.random.default_rng([seed, sensor]).normal(size=len(on))
        return np.asarray(lfilter([0.8], [1.0, -0.6], own))

    swing = np.where(on, 1.0, -1.0)
    return np.column_stack([50 + by * swing + noise(k) for k, by in enumerate(SWING)])


def anomalies(times: TimeArray, values: FloatArray) -> int:
    era = Era(times[0], int(STEP / np.timedelta64(1, "s")), (0, 1, 2), ZONE.key)
    _, found = era.fold.judge(era.fold.start(), times, values)
    judged = Judged(era, times, found.parts, ((0, found),))
    joining = replace(POLICY, merge_gap_rows=merge_gap_rows(era, POLICY))
    return sum(one.start >= KNOWN * A_DAY for one in ranges(scores_of(judged, POLICY), joining))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=seed_range, default=range(1, 9))
    seeds = parser.parse_args().seeds
    months = len(seeds) * (DAYS - KNOWN) / 30
    print(f"{len(seeds)} machines each, which may give {months * POLICY.false_alarms:.1f}")
    for case in CASES:
        times = times_of(WHEN.get(case, WHEN["spring"]))
        on = works(case, times)
        print(f"{case:<18}{sum(anomalies(times, values_of(on, s)) for s in seeds):>4}", flush=True)


if __name__ == "__main__":
    main()

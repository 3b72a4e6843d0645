"""False alarms promised and given on healthy generated sensors, through the production scoring.

    python -m bench.alarm_rate --sensors 100 --seed 2001

Each sensor has 30 days to learn from and 60 that are judged, a reading every ten minutes. The
champion of a kind is trained on the first 30 days of its sensors, as `train anomaly` does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from anomalies import folding
from anomalies.alarm_rate import DAYS
from anomalies.detection_policy import DetectionPolicy
from anomalies.familiar.look import Asked, Past, look_again
from anomalies.scored import ranges
from anomalies.scoring import score_stretches, with_core
from anomalies.stretch import Limits, Stretch
from mlops import features
from mlops.detectors.base import Detector
from mlops.detectors.fitted import candidate
from mlops.detectors.streaming.core import Judged
from sensors.generator import RANGES, normal
from sensors.kinds import kind_named
from sensors.series import Series

SETTINGS = (0.5, 1.0, 3.0)
A_DAY = 144
LEARNT, JUDGED = 30 * A_DAY, 60 * A_DAY
SETTLED_ROWS = A_DAY


def stretches_of(kind: str, sensors: int, seed: int) -> list[Stretch]:
    """Healthy sensors of a kind."""
    rows = LEARNT + JUDGED
    times = np.datetime64("2026-01-05", "us") + np.arange(rows) * np.timedelta64(600, "s")
    rngs = (np.random.default_rng([seed, list(RANGES).index(kind), i]) for i in range(sensors))
    each = (normal(kind, times, rng) for rng in rngs)
    return [Stretch(Series(times, values, np.ones(rows)), 0, Limits()) for values in each]


def champion_of(stretches: list[Stretch]) -> Detector:
    cut = LEARNT * 2 // 3
    X = [features.compute(s.series.times[:LEARNT], s.series.values[:LEARNT]) for s in stretches]
    model = candidate("tails").fit(np.concatenate([one[SETTLED_ROWS:cut] for one in X]))
    return model.calibrate(np.concatenate([one[cut:] for one in X]))


def alarms(
    stretches: list[Stretch],
    cores: list[Judged],
    champion: Detector | None,
    setting: float,
    *,
    only_rises: bool,
) -> Iterator[int]:
    """Alarms of each sensor in the days that are judged."""
    policy = replace(DetectionPolicy(), false_alarms=setting)
    for stretch, core in zip(stretches, cores, strict=True):
        past = Past.of(stretch.series, only_rises=only_rises)
        by_rung = score_stretches([stretch], champion, policy)[0]
        looked = look_again([Asked(stretch, by_rung, past, policy)])[0]
        scored = with_core(looked, core, folding.rarity(core), policy)
        yield len(ranges(scored.scores[LEARNT:], policy))


def rates(sensors: int, seed: int) -> dict[tuple[str, float], list[float]]:
    """(rung, setting) → alarms in 30 days of each sensor, of all kinds alike."""
    found: dict[tuple[str, float], list[float]] = {}
    for kind in RANGES:
        stretches = stretches_of(kind, sensors // len(RANGES), seed)
        only_rises = kind_named(kind).worsens > 0
        cores = [folding.fold(folding.beginning(), s.series).judged for s in stretches]
        for rung, judge in (("local", None), ("champion", champion_of(stretches))):
            for setting in SETTINGS:
                given = alarms(stretches, cores, judge, setting, only_rises=only_rises)
                each = [count * DAYS * A_DAY / JUDGED for count in given]
                found.setdefault((rung, setting), []).extend(each)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sensors", type=int, default=100)
    parser.add_argument("--seed", type=int, default=2001)
    options = parser.parse_args()
    for (rung, promised), each in rates(options.sensors, options.seed).items():
        given = float(np.mean(each))
        print(
            f"{rung:<9} promised {promised:>4} in {DAYS} days, given {given:.2f} "
            f"({given / promised:.2f}), worst sensor {max(each):.1f}"
        )


if __name__ == "__main__":
    main()

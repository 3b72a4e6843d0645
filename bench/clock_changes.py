"""False anomalies while a site's clock is changed, of machines that follow it and that do not.

    python -m bench.clock_changes --seeds 9301-9360

A sensor has twelve days behind it when the clock is changed, a reading every ten minutes, in shifts
or in a sine. Its machine keeps the hours of the site (`local`), or those of the sun or a timer
(`UTC`), for which nothing changes. Counted are the anomalies of the three days from the change on,
by the local rung, the core and the second look, with and without knowing of the change.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import numpy as np
from scipy.signal import lfilter

from anomalies import folding
from anomalies.detection_policy import DetectionPolicy
from anomalies.familiar.look import Asked, Past, look_again
from anomalies.scored import ranges
from anomalies.scoring import score_stretches, with_core
from anomalies.stretch import Limits, Stretch
from bench.seeds import seed_range
from sensors.clocks import NO_CHANGES, IntArray, changes
from sensors.series import FloatArray, Series, TimeArray, to_datetime64

ZONE = ZoneInfo("Europe/Berlin")
WHEN = {
    "spring": datetime(2026, 3, 29, 1, tzinfo=UTC),
    "autumn": datetime(2026, 10, 25, 1, tzinfo=UTC),
}
BEFORE, AFTER, A_DAY = 12, 3, 144
STEP = np.timedelta64(10, "m")
POLICY = DetectionPolicy()


def hours_of(times: TimeArray, change: datetime, *, local: bool) -> FloatArray:
    """Since midnight, by the clock before the change, or by the one that the site has."""
    ahead = (change - timedelta(days=1)).astimezone(ZONE).utcoffset() or timedelta()
    hours = (times - np.datetime64(0, "us")) / np.timedelta64(1, "h") + ahead / timedelta(hours=1)
    if local:
        since, forward = _known(change)[0]
        hours = hours + np.where(times >= np.datetime64(int(since), "h"), forward, 0)
    return np.asarray(hours % 24)


def _known(change: datetime) -> IntArray:
    found = changes(ZONE, change, change)
    return found[found[:, 0] == int(change.timestamp()) // 3600]


def series_of(change: datetime, pattern: str, seed: int, *, local: bool) -> Series:
    """60 from six to ten at night and 40 else, or a sine from 42 to 58; noise of 1, which hangs
    together."""
    times = (
        to_datetime64(change - timedelta(days=BEFORE)) + np.arange((BEFORE + AFTER) * A_DAY) * STEP
    )
    hours = hours_of(times, change, local=local)
    noise = lfilter([0.8], [1.0, -0.6], np.random.default_rng(seed).normal(size=len(times)))
    shift = np.where((hours >= 6) & (hours < 22), 60.0, 40.0)
    level = shift if pattern == "shift" else 50 + 8 * np.sin((hours - 9) / 12 * np.pi)
    return Series(times, (level + noise).round(2), np.ones(len(times)))


def alarms(series: Series, known: IntArray) -> int:
    """From the change on. known: the changes of the clock that the second look is told."""
    stretch = Stretch(series, 0, Limits())
    scored = score_stretches([stretch], None, POLICY)[0]
    past = Past.of(series, only_rises=False, changes=known)
    core = folding.fold(folding.beginning(), series).judged
    looked = look_again([Asked(stretch, scored, past, POLICY)])[0]
    found = with_core(looked, core, folding.rarity(core), POLICY)
    return len(ranges(found.scores[BEFORE * A_DAY :], POLICY))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=seed_range, default=range(9201, 9231))
    options = parser.parse_args()
    print(
        f"{'change':<8}{'pattern':<8}{'hours':<6}{'told':>5}{'untold':>7}  of {len(options.seeds)}"
    )
    for (season, change), pattern, local in product(WHEN.items(), ("shift", "sine"), (True, False)):
        told = untold = 0
        for seed in options.seeds:
            series = series_of(change, pattern, seed, local=local)
            told += alarms(series, _known(change))
            untold += alarms(series, NO_CHANGES)
        kept = "local" if local else "UTC"
        print(f"{season:<8}{pattern:<8}{kept:<6}{told:>5}{untold:>7}", flush=True)


if __name__ == "__main__":
    main()

"""Detection on generated fleets through the production scoring path, without database or servers.

    python -m bench.demo_quality --seeds 101-110 --judge tails

    python -m bench.demo_quality --fresh

Prints recall by sort of fault, recall and precision by kind, pooled over the seeds, and a line per
seed. Seeds 1 to 20 are kept for the demo's own evaluation and refused here, and FRESH_SEEDS are
looked at when all is settled (`--fresh`, and the page that bench/quality.py writes), so that
nothing can be tuned on them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import mean, median, stdev

import numpy as np

from anomalies import folding
from anomalies.demo.evaluation import Alarm, Evaluation, Score, evaluate
from anomalies.detection_policy import DetectionPolicy
from anomalies.familiar.look import Asked, Past, look_again
from anomalies.scored import RUNGS, ranges
from anomalies.scoring import score_stretches, with_core
from anomalies.stretch import Limits, Stretch
from bench.seeds import seed_range
from mlops import features
from mlops.detectors.fitted import CANDIDATES, Fitted, candidate
from mlops.detectors.streaming.alarm import Alarm as StreamAlarm
from mlops.detectors.streaming.core import Core
from sensors.generator import RANGES, Fleet, Stream, generate
from sensors.kinds import kind_named
from sensors.series import Series

UNTIL = np.datetime64("2026-05-04T00:00", "us")
KEPT_SEEDS = range(1, 21)
FRESH_SEEDS = range(7001, 7011)
MONTH = np.timedelta64(30, "D")
SETTLED_ROWS = 144  # as mlops.datasets has it, which needs Django
# A candidate for champion, the rung that serves without one, or what judges files.
JUDGES = (*CANDIDATES, "local", "statistical", "core")
FIT_SHARE = 2 / 3


def main() -> None:
    options = _options()
    begun = time.perf_counter()
    runs = []
    months = 0.0
    for seed in FRESH_SEEDS if options.fresh else options.seeds:
        fleet = generate(seed, UNTIL)
        months += sensor_months(fleet)
        runs.append(evaluation_of(fleet, options.judge))
        score = runs[-1].overall()
        print(
            f"seed {seed}: recall {score.recall:.3f}  precision {score.precision:.3f}", flush=True
        )
        if options.verbose:
            _print_misses(runs[-1])
    together = pooled(runs)
    _print_summary(together, {s.sensor: s.kind for s in fleet.streams})
    print(f"{together.overall().false_alarms / months:.2f} false alarms a sensor-month")
    _print_spread([run.overall() for run in runs])
    print(f"{time.perf_counter() - begun:.1f} s")


def evaluation_of(fleet: Fleet, judge: str) -> Evaluation:
    """Detect over a fleet's whole timeline; judge the held-back period."""
    alarms = [
        alarm
        for kind in RANGES
        for alarm in _alarms([s for s in fleet.streams if s.kind == kind], judge)
    ]
    times = {stream.sensor: stream.in_event_order()[0] for stream in fleet.streams}
    return evaluate(fleet.faults, alarms, since=fleet.held_back_from, times=times)


def _alarms(streams: list[Stream], judge: str) -> Iterator[Alarm]:
    if judge == "core":
        yield from (alarm for stream in streams for alarm in _of_core(stream))
        return
    champion = champion_of(streams, judge) if judge in CANDIDATES else None
    policy = DetectionPolicy()
    if judge == "statistical":
        policy = replace(policy, local_rows=1_000_000)
    stretches = [_stretch(stream) for stream in streams]
    scored = score_stretches(stretches, champion, policy)
    for stream, stretch, by_rung in zip(streams, stretches, scored, strict=True):
        core = folding.fold(folding.beginning(), stretch.series).judged
        past = Past.of(stretch.series, only_rises=kind_named(stream.kind).worsens > 0)
        looked = look_again([Asked(stretch, by_rung, past, policy)])[0]
        result = with_core(looked, core, folding.rarity(core), policy)
        times = stream.in_event_order()[0]
        for found in ranges(result.scores, policy):
            by_core = result.is_by_core(found.peak)
            given_by = folding.CORE.name if by_core else RUNGS[result.rungs[found.peak]]
            yield Alarm(stream.sensor, times[found.start], times[found.end], given_by)


def _of_core(stream: Stream) -> Iterator[Alarm]:
    """The history warms up, and is not judged."""
    times, values = stream.in_event_order()
    core = Core(StreamAlarm(warmup=stream.history))
    _, judged = core.fold(core.start(), times, values)
    for found in ranges(judged.scores, DetectionPolicy()):
        yield Alarm(stream.sensor, times[found.start], times[found.end], core.name)


def _stretch(stream: Stream) -> Stretch:
    times, values = stream.in_event_order()
    kind = kind_named(stream.kind)
    limits = Limits(kind.physical_min, kind.physical_max, None, stream.alarm_high)
    return Stretch(Series(times, values, np.ones(len(times))), 0, limits)


def champion_of(streams: list[Stream], name: str) -> Fitted:
    """What `train anomaly` makes of the history of a kind's sensors."""
    older, newer = [], []
    for stream in streams:
        times, values = stream.in_event_order()
        X = features.compute(times[: stream.history], values[: stream.history], SETTLED_ROWS)
        cut = int(len(X) * FIT_SHARE)
        older.append(X[:cut])
        newer.append(X[cut:])
    return candidate(name).fit(np.concatenate(older)).calibrate(np.concatenate(newer))


def sensor_months(fleet: Fleet) -> float:
    """Judged, outside of faults."""
    whole = sum(stream.times[-1] - fleet.held_back_from for stream in fleet.streams)
    faults = sum(fault.end - fault.start for fault in fleet.faults)
    return float((whole - faults) / MONTH)


def pooled(runs: list[Evaluation]) -> Evaluation:
    return Evaluation(
        faults=tuple(found for run in runs for found in run.faults),
        alarms=tuple(pair for run in runs for pair in run.alarms),
    )


def _print_summary(pooled: Evaluation, kinds: dict[str, str]) -> None:
    for sort, (injected, found, delay) in pooled.by_sort().items():
        print(f"  {sort:<18} {found:>4} of {injected:<4} median delay {delay} readings")
    for kind, score in pooled.by_kind(kinds).items():
        print(f"  {kind:<18} recall {score.recall:.3f}  precision {score.precision:.3f}")
    for rung, (alarms, true) in pooled.by_rung().items():
        print(f"  {rung:<18} {true} of {alarms} alarms are true")


def _print_spread(scores: list[Score]) -> None:
    for name in ("recall", "precision"):
        each = [getattr(score, name) for score in scores]
        spread = f" ± {stdev(each):.3f}" if len(each) > 1 else ""
        print(f"{name} {mean(each):.3f}{spread}, worst {min(each):.3f}, median {median(each):.3f}")


def _print_misses(run: Evaluation) -> None:
    for found in run.faults:
        if found.alarm is None:
            print(f"    missed {found.fault}")
    for alarm, true in run.alarms:
        if not true:
            print(f"    false  {alarm}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=_seeds, default=range(101, 104))
    parser.add_argument("--fresh", action="store_true", help="On the seeds kept for the last look.")
    parser.add_argument("--judge", choices=JUDGES, default="tails")
    parser.add_argument("--verbose", action="store_true", help="Name each miss and false alarm.")
    return parser.parse_args()


def _seeds(text: str) -> range:
    found = seed_range(text)
    if set(found) & set(KEPT_SEEDS):
        raise argparse.ArgumentTypeError("seeds 1 to 20 are kept for the demo")
    if set(found) & set(FRESH_SEEDS):
        raise argparse.ArgumentTypeError(f"{FRESH_SEEDS} are kept for the last look: --fresh")
    return found


if __name__ == "__main__":
    main()

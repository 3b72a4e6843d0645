"""Detection on every labelled data set that lies below a folder, beside published figures.

    python bench/quality.py                 # ../shared/data; ARGS: --data DIR --out FILE

Runs what `manage.py backtest` runs, with its one configuration and its one threshold, and writes
the tables to docs/QUALITY.md; sections that others wrote there stay. Needs no server.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from anomalies.evaluation import Judged

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "QUALITY.md"


def main() -> None:
    options = _options()
    sys.path.insert(0, str(ROOT))  # a script finds its own directory only
    begun = time.perf_counter()
    from bench.pages import of_others
    from bench.quality_prose import HEAD, USED

    written = []
    for section in SECTIONS:
        text = "\n".join(section(options.data))
        print(text, flush=True)
        written.append(text)
    standing = options.out.read_text() if options.out.exists() else ""
    page = [HEAD, *written, *of_others(standing, [*written, USED]), USED]
    options.out.write_text("\n".join(page).rstrip() + "\n")
    print(f"{options.out}, {time.perf_counter() - begun:.0f} s")


def _windows(data: Path) -> Iterator[str]:
    """Numenta's benchmark: labelled windows, and a reward for being early."""
    from bench.labelled import Windows, as_streams
    from mlops.detectors.base import ALARM_LEVEL
    from mlops.windows_score import PROFILES, best_score, score_at

    folder = data / "nab"
    if not (folder / "windows.json").exists():
        yield _absent("Labelled windows (NAB)", folder)
        return
    labelled = Windows(folder)
    yield "## Labelled windows (NAB)\n"
    rows = f"{labelled.rows:,} rows, {labelled.count} windows"
    yield f"{len(labelled.streams)} files, {rows}. Score as in"
    yield "Lavin & Ahmad (2015): 100 is an alarm at the first row of every window and no other."
    yield "The best threshold is found on the labels and is an upper bound; the published figures"
    yield "are such bounds, computed here from the scores those detectors gave to the same files."
    yield "Development saw these labels: see the end of this page.\n"
    yield "| | " + " | ".join(profile.name for profile in PROFILES) + " |"
    yield "|---|---|---|---|"

    told, untold = labelled.judged(), labelled.judged(tell_warmup=False)
    for name, judged in (("", told), (", warm-up not told", untold)):
        streams = as_streams(judged)
        shipped = (score_at(streams, ALARM_LEVEL, profile) for profile in PROFILES)
        yield _row(f"**smartmaint{name}, shipped threshold**", shipped)
        best = (best_score(streams, profile)[0] for profile in PROFILES)
        yield _row(f"smartmaint{name}, best threshold", best)
    for name, streams in labelled.published():
        yield _row(
            f"{name}, best threshold", (best_score(streams, profile)[0] for profile in PROFILES)
        )
    yield "\nThe same scores by `manage.py evaluate`, warm-up told; a window counts as one fault:\n"
    yield from _figures(told)


def _figures(judged: list[Judged]) -> Iterator[str]:
    """What `manage.py evaluate` says, with the 90 % intervals of its bootstrap."""
    from anomalies.evaluation import Rule, evaluate
    from anomalies.figures import figures_as_text

    yield "| | value | 90 % interval |"
    yield "|---|---|---|"
    for name, value, interval in figures_as_text(evaluate(judged, Rule()).figures(seed=0)):
        yield f"| {name} | {value} | {interval} |"
    yield ""


def _row(name: str, figures: Iterator[float]) -> str:
    return f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |"


def _absent(title: str, folder: Path) -> str:
    print(f"{title}: there is no {folder}, left out", file=sys.stderr)
    return f"## {title}\n\nNot measured: the data was not there.\n"


def _normal_runs(data: Path) -> Iterator[str]:
    """Alarms where nothing is wrong, against what is promised."""
    from bench.labelled import ASSET_WARMUP, alarms_each, alarms_together, generated_runs
    from mlops.detectors.streaming.alarm import ROWS_A_WARMUP, USUAL_WARMUP

    yield "## Alarms where nothing is wrong\n"
    yield f"Each column as a sensor of its own. Promised are at most {ROWS_A_WARMUP:.0f} rows that"
    yield "rare in as many rows as the warm-up has; given are alarms in that many rows, the median"
    yield "sensor and the worst. What keeps reaching values it never had, such as a slowly warming"
    yield "tank, alarms most.\n"
    yield "| | sensors | rows each | warm-up | median | worst |"
    yield "|---|---|---|---|---|---|"
    for name, paths, warmup in (
        ("a machine's normal run (SKAB)", "skab/anomaly-free/*.csv*", ASSET_WARMUP),
        ("transformer loads (ETTh1), faults unknown", "ett/*.csv*", USUAL_WARMUP),
    ):
        for path in sorted(data.glob(paths)):
            yield _rates(name, *alarms_each(path, warmup), warmup)
    yield _rates("generated, 20,000 readings", *generated_runs(USUAL_WARMUP), USUAL_WARMUP)
    yield ""
    yield "The columns together as one machine, whose joint distance stays an alarm while a change"
    yield "lasts; share of rows that are alarms:\n"
    yield "| | rows | warm-up | alarms % |"
    yield "|---|---|---|---|"
    for name, paths in (
        ("a machine's normal run (SKAB)", "skab/anomaly-free/*.csv*"),
        ("transformer loads (ETTh1), faults unknown", "ett/*.csv*"),
    ):
        for path in sorted(data.glob(paths)):
            alarms, rows = alarms_together(path, ASSET_WARMUP)
            share = 100 * alarms / (rows - ASSET_WARMUP)
            yield f"| {name} | {rows:,} | {ASSET_WARMUP} | {share:.1f} |"
    yield ""


def _rates(name: str, alarms: list[int], rows: int, warmup: int) -> str:
    each = np.array(alarms) * warmup / (rows - warmup)
    figures = f"{np.median(each):.2f} | {each.max():.2f}"
    return f"| {name} | {len(alarms)} | {rows:,} | {warmup} | {figures} |"


def _experiments(data: Path) -> Iterator[str]:
    """A machine's sensors together, rows labelled one by one."""
    from bench.labelled import ASSET_WARMUP, by_row, experiments, pointwise
    from mlops.detectors.base import ALARM_LEVEL

    folder = data / "skab"
    if not folder.exists():
        yield _absent("Experiments on one machine (SKAB)", folder)
        return
    found = experiments(folder)
    scores, label = by_row(found)
    ours, all_of_it = (pointwise(scores, label, level) for level in (ALARM_LEVEL, -1.0))
    yield "## Experiments on one machine (SKAB)\n"
    yield f"{len(found)} experiments with eight sensors, the first {ASSET_WARMUP} rows of each to"
    yield "warm up, the rest judged row by row, shipped threshold. Published figures are for all 34"
    yield "experiments and smooth with later rows.\n"
    yield "| | F1 | false alarms % | missed % |"
    yield "|---|---|---|---|"
    for name, one in (("**smartmaint**", ours), ("every row flagged", all_of_it)):
        shares = f"{100 * one.false_share:.1f} | {100 * one.missed_share:.1f}"
        yield f"| {name} | {one.f1:.3f} | {shares} |"
    yield "| Conv-AE, published | 0.78 | 13.6 | 28.0 |"
    yield "| MSET, published | 0.78 | 39.7 | 14.1 |\n"
    yield "The same scores by `manage.py evaluate`, an experiment's fault counting once:\n"
    yield from _figures(found)


def _run_to_failure(data: Path) -> Iterator[str]:
    """Bearings until one fails: how long before, and what was said while all were well."""
    from anomalies import tables
    from anomalies.backtest import scores_of
    from mlops.detectors.base import ALARM_LEVEL

    path = data / "ims_bearing" / "test2_mean_abs.csv.gz"
    if not path.exists():
        yield _absent("Run to failure (IMS test 2)", path)
        return
    table = tables.read(path)
    rows, names = len(table), list(table.values)
    yield "## Run to failure (IMS test 2)\n"
    yield "Mean absolute vibration of four bearings every ten minutes; bearing 1 fails at the end."
    yield f"{rows} rows. Each bearing alone is told to be of the kind vibration, of which only a"
    yield "rise is a fault. Either `--warmup` says that the first 15 % of the rows are only learnt"
    yield "from, and alarms are as many as their number allows; or nothing is told, and they are as"
    yield "rare as with 600 rows. Hours before the end of the first alarm in the second half, and"
    yield "early alarms, at 15 to 50 % of the rows:\n"
    yield "| | by 15 %: hours | early alarms | by default: hours | early alarms |"
    yield "|---|---|---|---|---|"
    hours = (table.times[-1] - table.times) / np.timedelta64(1, "h")
    quiet, half = int(0.15 * rows), rows // 2
    each = {name: {name: table.values[name]} for name in names} | {
        "all, as one asset": table.values
    }
    for name, values in each.items():
        one = tables.Table(",", (), table.cells, table.times, values, (), ())
        kind = "vibration" if len(values) == 1 else None
        cells = []
        for warmup in (quiet, None):
            is_alarm = scores_of(one, kind=kind, warmup=warmup) >= ALARM_LEVEL
            late = np.flatnonzero(is_alarm[half:])
            first = f"{hours[half + late[0]]:.0f}" if len(late) else "none"
            cells += [first, str(int(is_alarm[quiet:half].sum()))]
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _machines(_data: Path) -> Iterator[str]:
    """A machine's sensors together, as the service judges them."""
    _without_servers()
    from bench.machine_quality import section

    yield from section()


def _generated(_data: Path) -> Iterator[str]:
    """Injected faults by sort, by each rung of the ladder and by what judges files."""
    _without_servers()
    from anomalies.demo.evaluation import Evaluation
    from bench.demo_quality import FRESH_SEEDS, UNTIL, evaluation_of, pooled, sensor_months
    from sensors.generator import FAULTS, generate

    fleets = [generate(seed, UNTIL) for seed in FRESH_SEEDS]
    months = sum(map(sensor_months, fleets))
    found: dict[str, Evaluation] = {
        rung: pooled([evaluation_of(fleet, judge) for fleet in fleets])
        for rung, judge in RUNGS.items()
    }
    seeds = f"seeds {FRESH_SEEDS[0]} to {FRESH_SEEDS[-1]}"
    yield "## Injected faults\n"
    yield f"The demo's fleets of {seeds}, which development did not see:"
    yield f"{len(fleets)} of 20 sensors, {months:.1f} sensor-months of held-back readings without"
    yield "fault. Service by default: the champion of `train anomaly` on the history (of its"
    yield "candidates it takes `tails`), with limits and core; until one is trained the local rung,"
    yield "and for a young sensor the statistical one. Found of injected, and the median delay"
    yield "in readings (ten minutes each):\n"
    yield "| | " + " | ".join(RUNGS) + " |"
    yield "|---|" + "---|" * len(RUNGS)
    for sort in FAULTS:
        cells = (_found(each.by_sort()[sort]) for each in found.values())
        yield f"| {sort} | " + " | ".join(cells) + " |"
    scores = [each.overall() for each in found.values()]
    for name in ("recall", "precision"):
        yield f"| {name} | " + " | ".join(f"{getattr(s, name):.3f}" for s in scores) + " |"
    rates = " | ".join(f"{score.false_alarms / months:.2f}" for score in scores)
    yield f"| false alarms a sensor-month | {rates} |\n"
    yield "The core alone judges a file with the history as its warm-up. What it says is a share of"
    yield "the past: 660 readings make nothing rarer than 10^-2.8, where the service lets it alarm"
    yield "from 10^-3 on, a week's readings at ten minutes; a step that only one view sees costs it"
    yield "another 0.9. So on these it is the rungs that find.\n"


SECTIONS = (_windows, _normal_runs, _experiments, _run_to_failure, _machines, _generated)
RUNGS = {"champion": "tails", "local": "local", "statistical": "statistical", "core alone": "core"}


def _found(of_sort: tuple[int, int, float | None]) -> str:
    injected, found, delay = of_sort
    return f"{found} of {injected}" + ("" if delay is None else f", {delay:g}")


def _without_servers() -> None:
    """Settings name servers; nothing here asks one."""
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    os.environ.setdefault("DATABASE_URL", "postgresql://no-server.invalid/none")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help=f"default {DATA}")
    parser.add_argument("--out", type=Path, default=PAGE, help=f"default {PAGE}")
    return parser.parse_args()


if __name__ == "__main__":
    main()

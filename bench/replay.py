"""How long a preview of weeks and months takes, and the memory that it takes.

    python -m smartmaint.services run -- python -m bench.replay --days 7,30 --weeks 5

Twenty sensors on ten machines, a reading a minute, with the faults and nuisances of bench.plant,
ingested, judged and rolled up week by week as they would have been live. Then `manage.py replay`
runs the last days once more with more alarms allowed, in a process of its own, whose time and peak
memory are printed; the two days before them, which it runs as well, count. Readings, faults and
levels are the same in every run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tqdm import tqdm

from bench import learning
from bench.place import own_place, settle
from bench.plant import Track, plant

SEEDS, SENSORS = (1, 2), 20
WEEKS = 15
CHANGE = {"FALSE_ALARMS_BY_KIND": {"vibration": 3.0}}


@dataclass(frozen=True, slots=True)
class Taken:
    """One replay: memory in MiB at its peak; cpu: seconds of the process, PostgreSQL's not among
    them; the rest as the command says it."""

    days: int
    seconds: float
    cpu: float
    memory: float
    readings: int
    counts: dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", default="7,30,90", help="how many of the last, each by itself")
    parser.add_argument("--weeks", type=int, default=WEEKS, help="of history; %(default)s")
    parser.add_argument(
        "--minutes", type=int, default=1, help="between two readings of a sensor; %(default)s"
    )
    parser.add_argument("--out", type=Path, help="JSON with everything that is printed")
    options = parser.parse_args()
    with own_place():
        a_day = 24 * 60 // options.minutes
        until = _lived(_fleet(a_day), options.weeks, a_day)
        settle()
        taken = [_taken(int(days), until) for days in options.days.split(",")]
    if options.out:
        options.out.write_text(json.dumps([asdict(one) for one in taken], indent=1))


def _fleet(a_day: int) -> list[Track]:
    """Of two plants as many sensors as asked for, each under a name of its own."""
    tracks = [
        replace(track, name=f"{seed}-{track.name}", machine=f"{seed}-{track.machine}")
        for seed in SEEDS
        for track in plant(seed, a_day)
    ]
    return tracks[:SENSORS]


def _lived(tracks: Sequence[Track], weeks: int, a_day: int) -> Any:
    """All weeks as they come; when the last one ended."""
    from mlops import serving
    from mlops.serving import NoChampion
    from sensors import rollups

    place, _ = learning._made(tracks)
    none = NoChampion("no registry in this bench", expected=False)
    now = None
    with patch.object(serving, "champions_for", lambda all_: {pk: none for pk, _ in all_}):
        for week in tqdm(range(weeks), desc="history", unit="week", disable=None):
            rows = slice(week * 7 * a_day, (week + 1) * 7 * a_day)
            now = learning._time(tracks[0].times[rows][-1]) + timedelta(minutes=5)
            learning._ingest(tracks, rows, place, now)
            learning._work(now)
            rollups.roll_up()
    return now


def _taken(days: int, until: Any) -> Taken:
    since = until - timedelta(days=days)
    with tempfile.TemporaryDirectory() as directory:
        policy, out = Path(directory) / "policy.json", Path(directory) / "out.json"
        policy.write_text(json.dumps(CHANGE))
        command = [sys.executable, "manage.py", "replay", "--json", f"--policy={policy}",
                   f"--since={since.isoformat()}", f"--until={until.isoformat()}"]  # fmt: skip
        began = time.perf_counter()
        with out.open("wb") as file:
            child = subprocess.Popen(command, stdout=file)
            _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        assert child.returncode == 0, child.returncode
        found = json.loads(out.read_text())
    cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    taken = Taken(days, seconds, cpu, memory, found["readings"], found["counts"])
    print(
        f"{days} days: {taken.cpu:.0f} s of its processor time in {taken.seconds:.0f} s, "
        f"{taken.memory:.0f} MiB at its peak, {taken.readings:,} readings; "
        f"{json.dumps(taken.counts)}",
        flush=True,
    )
    return taken


if __name__ == "__main__":
    main()

"""The page's section on machines as the service judges them: what healthy ones give, what is found.

Part of `python bench/quality.py`; needs no server.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from anomalies.alarm_rate import DAYS
from bench.machine_alarms import JUDGED_DAYS, SETTINGS, alarms, machines
from bench.machine_faults import FRESH_SEEDS, GROUPS, found_of


def section() -> Iterator[str]:
    yield "## Machines in service\n"
    yield "A machine's sensors together, as the service judges them (detector `joint`): on the grid"
    yield "of the machine, learnt again as they go on, at a level that follows from the setting."
    yield f"Healthy machines of the generator over {JUDGED_DAYS} days give, in alarms a machine and"
    yield "30 days (`python -m bench.machine_alarms`):\n"
    yield from _healthy()
    seeds = f"{FRESH_SEEDS[0]}-{FRESH_SEEDS[-1]}"
    yield "Faults that the joint fold finds by itself on generated machines of six sensors, by what"
    yield f"they change (`python -m bench.machine_faults --seeds {seeds}`, seeds that development"
    yield "did not see). The rungs of the sensors find nearly all of these; the joint fold is there"
    yield "for what they do not see, such as a relation that breaks.\n"
    yield from _faults()


def _healthy() -> Iterator[str]:
    judged = list(machines())
    yield f"| promised | mean of {len(judged)} machines | median | worst |"
    yield "|---|---|---|---|"
    for setting in SETTINGS:
        rates = np.array([alarms(one, setting) for one in judged]) * DAYS / JUDGED_DAYS
        yield f"| {setting:g} | {rates.mean():.2f} | {np.median(rates):.2f} | {rates.max():.2f} |"
    yield ""


def _faults() -> Iterator[str]:
    yield "| of | sort | found |"
    yield "|---|---|---|"
    for group, sorts in GROUPS.items():
        for sort, count in found_of(sorts, FRESH_SEEDS).items():
            yield f"| {group} | {sort} | {count} of {len(FRESH_SEEDS)} |"
    yield ""

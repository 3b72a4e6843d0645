"""What a reading costs in the detectors that fold over streams, each alone and all together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from anomalies import folding
from bench.readings import SEED, healthy, ten_minutes_apart
from bench.report import Report
from bench.timing import measure
from mlops.detectors.streaming.contract import copied, dumped
from mlops.detectors.streaming.core import Core, View, Views
from sensors.series import FloatArray, TimeArray

KIND = "vibration"
READINGS, HISTORY = 20_000, 20_000
WINDOW = 64
LONG_STREAM = 10**9  # readings, of which the checkpoints are counted


def run(report: Report, *, fast: bool) -> None:
    times = ten_minutes_apart(HISTORY + READINGS)
    values = healthy(KIND, times, seed=[SEED])
    core = Core()
    state, _ = core.fold(core.start(), times[:HISTORY], values[:HISTORY])
    new = times[HISTORY:], values[HISTORY:]
    calls = {view.fold.name: _alone(view, times, values) for view in core.views.views}
    calls["core"] = lambda: core.fold(state, *new)
    for name, call in calls.items():
        report.add(
            measure(
                f"fold, {name}",
                call,
                lambda: rolling_z(values[HISTORY - WINDOW :]),
                against=f"rolling z of {WINDOW} in numpy",
                readings=READINGS,
                rounds=2 if fast else 6,
            )
        )
    report.facts["core_state_bytes"] = sum(array.nbytes for array in state.values())
    report.facts["checkpoint_bytes"] = len(dumped(state))
    report.facts[f"checkpoints_after_{LONG_STREAM:,}"] = len(folding.kept(LONG_STREAM))


def _alone(view: View, times: TimeArray, values: FloatArray) -> Callable[[], object]:
    """One view with its calibration, after the history."""
    views = Views((view,))
    state = views.start()
    views.rarities(state, times[:HISTORY], values[:HISTORY])

    def fold() -> None:
        views.rarities(copied(state), times[HISTORY:], values[HISTORY:])

    return fold


def rolling_z(values: FloatArray) -> FloatArray:
    windows = sliding_window_view(values, WINDOW)
    return np.asarray((windows[:, -1] - windows.mean(axis=1)) / windows.std(axis=1))

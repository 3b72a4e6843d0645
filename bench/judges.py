"""What a reading costs in the detectors that judge features, and what the features cost."""

from __future__ import annotations

from collections.abc import Sequence

from bench.folds import rolling_z
from bench.readings import SEED, healthy, ten_minutes_apart
from bench.report import Report
from bench.timing import measure
from mlops import features
from mlops.detectors.base import Detector
from mlops.detectors.local import fit_local
from mlops.detectors.statistical import Statistical

KIND = "vibration"
READINGS, TRAINED = 20_000, 400
WINDOW = 64


def run(report: Report, champions: Sequence[Detector], *, fast: bool) -> None:
    times = ten_minutes_apart(READINGS)
    values = healthy(KIND, times, seed=[SEED])
    X = features.compute(times, values)
    judges = (Statistical(), fit_local(X[-TRAINED:]), *champions)
    calls = {f"judge, {judge.name}": lambda judge=judge: judge.score(X) for judge in judges}
    calls["features"] = lambda: features.compute(times, values)
    for name, call in calls.items():
        report.add(
            measure(
                name,
                call,
                lambda: rolling_z(values),
                against=f"rolling z of {WINDOW} in numpy",
                readings=READINGS,
                rounds=2 if fast else 6,
            )
        )

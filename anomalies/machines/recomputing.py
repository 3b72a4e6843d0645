"""The score of a machine's anomaly again, from the stored readings."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from anomalies.detection_policy import DetectionPolicy
from anomalies.findings import Recomputed
from anomalies.folding import Checkpoint
from anomalies.machines import checkpoints, fold, readings
from anomalies.machines.alarms import scores_of
from anomalies.machines.findings import era_of
from anomalies.machines.fold import Judged
from anomalies.machines.grid import Era
from anomalies.models import Anomaly
from mlops import serving
from sensors.models import Reading
from sensors.series import to_datetime64

PIECE_ROWS = 20_000


class AnotherFold(serving.Unavailable):
    """The joint fold is not any more what it was when it gave a score."""


def recompute(anomaly: Anomaly, *, kept_from: datetime | None) -> Recomputed | None:
    """None when readings that it depends on were dropped, those before `kept_from`.

    Raises AnotherFold, and Reading.DoesNotExist when there are none at the peak any more.
    """
    era, peak = era_of(anomaly.receipt), to_datetime64(anomaly.peak)
    if anomaly.receipt["core_version"] != era.version:
        raise AnotherFold("the machine was judged by another version of the joint fold")
    start = checkpoints.before(anomaly.asset_id or 0, era, peak)
    if kept_from is not None and not start.rows and to_datetime64(kept_from) > era.begin:
        return None
    judged = _up_to(era, start, peak)
    if not len(judged.times) or judged.times[-1] != peak:
        raise Reading.DoesNotExist(f"nothing is stored of the machine at {anomaly.peak}")
    policy = DetectionPolicy(**anomaly.receipt["policy"])
    changed = judged.digest(len(judged.times) - 1) != anomaly.receipt["window_sha256"]
    return Recomputed(float(scores_of(judged, policy)[-1]), changed)


def _up_to(era: Era, state: Checkpoint, peak: np.datetime64) -> Judged:
    """The last piece of the rows up to the one at `peak`."""
    begin, until = state.time + era.step, peak + era.step
    while True:
        end = min(until, begin + PIECE_ROWS * era.step)
        rows = readings.rows_between(era, begin, end)
        judged, state, _ = fold.fold(era, state, rows)
        if end == until:
            return judged
        begin = end

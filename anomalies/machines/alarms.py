"""From the joint rarity of a machine's rows to scores: how rare may be an alarm. Pure."""

from __future__ import annotations

import numpy as np

from anomalies.alarm_rate import DAYS
from anomalies.detection_policy import DetectionPolicy
from anomalies.machines import fold
from anomalies.machines.fold import Judged
from anomalies.machines.grid import Era
from mlops.detectors.joint import RARITY_A_DECADE
from sensors.series import FloatArray

LEAST_LOOKS = 10.0  # between two false alarms, whatever can be borne


def scores_of(judged: Judged, policy: DetectionPolicy) -> FloatArray:
    """Shape (n,), in [0, 1): 0.5 where the machine may alarm."""
    rarity = fold.rarity(judged.parts)
    return np.asarray(rarity / (rarity + level(judged.era, policy.false_alarms)))


def level(era: Era, false_alarms: float) -> float:
    """The rarity that may be an alarm. A window of rows is one look that is independent of others,
    and of all looks of 30 days `false_alarms` may be as rare.

    >>> pair = Era(np.datetime64("2026-01-01", "us"), 600, (1, 2))
    >>> round(level(pair, 1.0), 2), round(level(pair, 4.0), 2)
    (5.39, 3.89)
    """
    looks = DAYS * 86_400 / (era.step_s * era.fold.window_rows)
    decades = np.log10(max(looks / false_alarms, LEAST_LOOKS))
    return float(decades * RARITY_A_DECADE)


def merge_gap_rows(era: Era, policy: DetectionPolicy) -> int:
    """Means that share readings speak of one anomaly."""
    return max(policy.merge_gap_rows, era.fold.window_rows)

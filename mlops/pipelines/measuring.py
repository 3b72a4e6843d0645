"""How good a classifier or a regressor is, over folds and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from sensors.series import FloatArray

INTERVAL = (0.05, 0.95)


def binary(
    is_fault: NDArray[np.bool_], probability: FloatArray, level: float = 0.5
) -> dict[str, float]:
    """At one threshold, and over all of them (`pr_auc`: average precision)."""
    said = probability >= level
    return {
        "f1": float(f1_score(is_fault, said, zero_division=0)),
        "precision": float(precision_score(is_fault, said, zero_division=0)),
        "recall": float(recall_score(is_fault, said, zero_division=0)),
        "pr_auc": float(average_precision_score(is_fault, probability)),
    }


def over(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric, with the central 90 % of the repetitions as `_low` and `_high`.

    >>> over([{"f1": 0.8}, {"f1": 0.9}])["f1"].__round__(2)
    0.85
    """
    found: dict[str, float] = {}
    for name in measured[0]:
        values = np.array([each[name] for each in measured])
        low, high = np.quantile(values, INTERVAL)
        found |= {
            name: float(values.mean()),
            f"{name}_low": float(low),
            f"{name}_high": float(high),
        }
    return found


def beside(metrics: Mapping[str, float], baseline: Mapping[str, float]) -> dict[str, float]:
    """The metrics, and those of the baseline as `baseline_...`, without its intervals."""
    plain = {
        f"baseline_{name}": value
        for name, value in baseline.items()
        if not name.endswith(("_low", "_high"))
    }
    return {**metrics, **plain}

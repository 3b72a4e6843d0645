"""An isolation forest on compressed features, as a champion candidate. Pure.

Source: Liu, Ting & Zhou (2008), Isolation Forest.
"""

from __future__ import annotations

from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline

from mlops.detectors.compress import Compress

NAME = "isolation_forest"


def pipeline(*, seed: int = 0, trees: int = 200) -> Pipeline:
    """Unfitted. A tree compares one feature at a time, so a row's score is that row's alone."""
    forest = IsolationForest(n_estimators=trees, random_state=seed)
    return Pipeline([("compress", Compress()), ("model", forest)])

"""A pipeline that was fitted once and is loaded from the registry ever after. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from sklearn.pipeline import Pipeline

from mlops.detectors import isolation_forest
from mlops.detectors.base import Tail, occlusion, score_of_rarity
from mlops.detectors.compress import Compress
from mlops.detectors.forest import Forest
from mlops.detectors.mahalanobis import Mahalanobis
from mlops.detectors.tails import Tails
from mlops.features import FEATURES
from sensors.series import FloatArray

CANDIDATES = ("isolation_forest", "mahalanobis", "tails")
RARITIES = frozenset({"tails"})  # whose distance is a rarity


@dataclass(slots=True)
class Fitted:
    """Scaler and model as one scikit-learn pipeline, and the tail that makes scores of it.

    This is the adapter: scikit-learn's score_samples falls as rows get rarer, and is turned round
    here and nowhere else.
    """

    name: str
    pipeline: Pipeline | Forest
    tail: Tail | None = None
    features_: tuple[str, ...] = FEATURES

    def fit(self, X: FloatArray) -> Self:
        """The pipeline alone; `calibrate` on other rows completes it."""
        if isinstance(self.pipeline, Forest):
            raise TypeError("it was read from disk to be used, and is not fitted again")
        self.pipeline.fit(X)
        return self

    def calibrate(self, X: FloatArray) -> Self:
        """X: rows that `fit` did not see, shape (n, d), n >= 20."""
        learn = Tail.stated if self.name in RARITIES else Tail.learn
        self.tail = learn(self.distance(X))
        return self

    def in_arrays(self) -> Self | None:
        """The same with its forest as arrays; None where that is no forest, or arrays already."""
        if self.tail is None or isinstance(self.pipeline, Forest):
            return None
        forest = Forest.of(self.pipeline)
        return None if forest is None else replace(self, pipeline=forest)

    def distance(self, X: FloatArray) -> FloatArray:
        """Shape (n,): the model's own measure, higher is rarer."""
        return -np.asarray(self.pipeline.score_samples(X)) if len(X) else np.zeros(0)

    def score(self, X: FloatArray) -> FloatArray:
        if self.tail is None:
            raise ValueError(f"{self.name} was fitted and not calibrated")
        return score_of_rarity(self.tail.rarity(self.distance(X)))

    def contributions(self, X: FloatArray) -> FloatArray:
        return occlusion(self.distance, X)


def candidate(name: str, *, seed: int = 0) -> Fitted:
    """An unfitted candidate for champion; KeyError for a name not in CANDIDATES."""
    pipelines = {
        "isolation_forest": lambda: isolation_forest.pipeline(seed=seed),
        "mahalanobis": lambda: Pipeline([("compress", Compress()), ("model", Mahalanobis())]),
        "tails": lambda: Pipeline([("compress", Compress()), ("model", Tails())]),
    }
    return Fitted(name, pipelines[name]())

"""A fitted model on features of its own: rows of named columns in, classes or numbers out. Pure.

Detectors (`mlops.detectors`) judge stored readings and share one set of features. What is learnt
from other things - snapshots of vibration, sound clips, whole machines - is a Predictor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.base import ALARM_LEVEL, Tail, score_of_rarity
from sensors.series import FloatArray

CLASSIFICATION, REGRESSION, NOVELTY = "classification", "regression", "novelty"


class WrongShape(ValueError):
    """The rows do not have the columns that the model was fitted on."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """task says what `predict` answers, one column for each of `outputs`:

    - classification: the probability of each class that `outputs` names;
    - regression: a number each, in the unit that the output's name ends in;
    - novelty: one score in [0, 1), ALARM_LEVEL and above is an alarm; `tail` makes it of the
      model's own measure.

    model: a fitted scikit-learn pipeline, or a LightGBM booster. threshold: the probability of the
    second of two classes from which `decide` says it.
    """

    name: str
    task: str
    feature_set: str
    features_: tuple[str, ...]
    outputs: tuple[str, ...]
    model: Any
    threshold: float = 0.5
    tail: Tail | None = None

    def predict(self, X: FloatArray) -> FloatArray:
        """X: shape (n, len(features_)). Shape (n, len(outputs)). WrongShape."""
        if X.ndim != 2 or X.shape[1] != len(self.features_):
            raise WrongShape(f"rows of shape {X.shape}; {self.name} has {len(self.features_)}")
        if not len(X):
            return np.zeros((0, len(self.outputs)))
        if self.task == NOVELTY:
            return self._novelty(X)[:, None]
        said = self._probabilities(X) if self.task == CLASSIFICATION else self._numbers(X)
        return np.asarray(said, dtype=float).reshape(len(X), len(self.outputs))

    def decide(self, X: FloatArray) -> NDArray[np.str_]:
        """The class of each row, shape (n,); for novelty `usual` or `unusual`."""
        said = self.predict(X)
        if self.task == NOVELTY:
            return np.asarray(
                np.array(["usual", "unusual"])[(said[:, 0] >= ALARM_LEVEL).astype(int)]
            )
        if len(self.outputs) == 2:
            return np.asarray(np.array(self.outputs)[(said[:, 1] >= self.threshold).astype(int)])
        return np.asarray(np.array(self.outputs)[said.argmax(axis=1)])

    def distance(self, X: FloatArray) -> FloatArray:
        """The model's own measure of what is unusual, shape (n,): higher is rarer."""
        return -np.asarray(self.model.score_samples(X), dtype=float)

    def _novelty(self, X: FloatArray) -> FloatArray:
        if self.tail is None:
            raise ValueError(f"{self.name} was fitted and not calibrated")
        return score_of_rarity(self.tail.rarity(self.distance(X)))

    def _probabilities(self, X: FloatArray) -> FloatArray:
        if not _is_booster(self.model):
            return np.asarray(self.model.predict_proba(X))
        said = np.asarray(self.model.predict(X, num_threads=1))
        return said if said.ndim == 2 else np.stack([1 - said, said], axis=1)

    def _numbers(self, X: FloatArray) -> FloatArray:
        if _is_booster(self.model):
            return np.asarray(self.model.predict(X, num_threads=1))
        return np.asarray(self.model.predict(X))


def _is_booster(model: Any) -> bool:
    """Told by its methods: LightGBM takes a second to import, and most processes need none."""
    return hasattr(model, "num_model_per_iteration")

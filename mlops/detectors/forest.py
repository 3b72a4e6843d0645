"""A fitted isolation forest as plain arrays: read in milliseconds, and the same bits. Pure.

Two hundred trees are two hundred estimators with a file each in an artifact, which takes longer to
read than to fetch. As one table of nodes they are a handful of arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlops.detectors.streaming.compiled import compiled
from sensors.series import FloatArray

LEAF = -1
ARRAYS = ("scale", "roots", "feature", "threshold", "left", "right", "path", "denominator")


@dataclass(frozen=True, slots=True)
class Forest:
    """scale: (d,), of Compress. roots: (trees,), the first node of each. Of the nodes, (k,) each:
    feature (LEAF at a leaf), threshold, left, right, and path, the length of the path to a leaf.
    denominator: (1,), what the sum of paths is divided by.
    """

    scale: FloatArray
    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: FloatArray
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    path: FloatArray
    denominator: FloatArray

    @classmethod
    def of(cls, pipeline: Any) -> Self | None:
        """From a fitted pipeline of Compress and IsolationForest; None for any other."""
        steps: dict[str, Any] = dict(pipeline.steps)
        if set(steps) != {"compress", "model"}:
            return None
        model, compress = steps["model"], steps["compress"]
        if not hasattr(model, "_decision_path_lengths"):
            return None
        trees = [each.tree_ for each in model.estimators_]
        first = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
        lengths = zip(
            model._decision_path_lengths, model._average_path_length_per_tree, strict=True
        )
        return cls(
            scale=np.asarray(compress.scale_, float),
            roots=first.astype(np.int64),
            feature=np.concatenate([np.maximum(tree.feature, LEAF) for tree in trees]).astype("i8"),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            left=_joined([tree.children_left for tree in trees], first),
            right=_joined([tree.children_right for tree in trees], first),
            path=np.concatenate([depth + rest - 1.0 for depth, rest in lengths]),
            denominator=np.array([len(trees) * _average_path_length(model._max_samples)]),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave. KeyError where one is missing."""
        return cls(**{name: arrays[name] for name in ARRAYS})

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in ARRAYS}

    def score_samples(self, X: FloatArray) -> FloatArray:
        """As scikit-learn's pipeline does, to the bit: shape (n,), lower is rarer."""
        rows = np.ascontiguousarray((np.arcsinh(X) / self.scale).astype(np.float32))
        depths = _depths(
            rows, self.roots, self.feature, self.threshold, self.left, self.right, self.path
        )
        if self.denominator[0] == 0:
            return -np.full(len(X), 0.5)
        return np.asarray(-(2 ** (-(depths / self.denominator[0]))))


def _joined(parts: list[NDArray[Any]], first: NDArray[Any]) -> NDArray[np.int64]:
    moved = [np.where(part < 0, 0, part + at) for part, at in zip(parts, first, strict=True)]
    return np.concatenate(moved).astype(np.int64)


def _average_path_length(rows: int) -> float:
    """Of an unsuccessful search in a binary tree. Source: Liu, Ting & Zhou (2008), equation 1."""
    if rows <= 1:
        return 0.0
    if rows == 2:
        return 1.0
    return float(2.0 * (np.log(rows - 1.0) + np.euler_gamma) - 2.0 * (rows - 1.0) / rows)


@compiled
def _depths(
    rows: NDArray[np.float32],
    roots: NDArray[np.int64],
    feature: NDArray[np.int64],
    threshold: FloatArray,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    path: FloatArray,
) -> FloatArray:
    """The sum over trees, in their order, of the paths that each row takes; shape (n,).

    All rows go through one tree after the other: a tree fits into the nearest memory.
    """
    found = np.zeros(len(rows))
    for root in roots:
        for row in range(len(rows)):
            node = root
            while feature[node] >= 0:
                node = left[node] if rows[row, feature[node]] <= threshold[node] else right[node]
            found[row] += path[node]
    return found

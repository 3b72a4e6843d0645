"""A fitted isolation forest as plain arrays: read in milliseconds, fast, and the same bits. Pure.

Two hundred trees are two hundred estimators with a file each in an artifact, which takes longer to
read than to fetch. As complete trees they are a handful of arrays, and which way a row goes is
arithmetic on them: a processor that has no branches to guess works on many rows at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sensors.series import FloatArray
from smartmaint.lib.compiled import compiled

ARRAYS = ("scale", "feature", "threshold", "leaf", "denominator")
# A complete tree doubles with each level. 256 rows, on which scikit-learn grows one, make 8.
DEEPEST = 10
_BLOCK_ROWS = 64


@dataclass(frozen=True, slots=True)
class Forest:
    """All trees completed to one depth: below a leaf that comes earlier there is that leaf alone.

    scale: (d,), of Compress. feature, threshold: (trees, 2 ** depth - 1), of the inner nodes, level
    by level; below node i are 2 i + 1, for what is not above its threshold, and 2 i + 2. leaf:
    (trees, 2 ** depth), the length of the path to each. denominator: (1,), what the sum of paths is
    divided by.
    """

    scale: FloatArray
    feature: NDArray[np.int32]
    threshold: FloatArray
    leaf: FloatArray
    denominator: FloatArray

    @classmethod
    def of(cls, pipeline: Any) -> Self | None:
        """From a fitted pipeline of Compress and IsolationForest; None for any other, and for trees
        deeper than DEEPEST."""
        steps: dict[str, Any] = dict(pipeline.steps)
        if set(steps) != {"compress", "model"}:
            return None
        model, compress = steps["model"], steps["compress"]
        if not hasattr(model, "_decision_path_lengths"):
            return None
        trees = [each.tree_ for each in model.estimators_]
        depth = max(tree.max_depth for tree in trees)
        if depth > DEEPEST:
            return None
        lengths = zip(
            model._decision_path_lengths, model._average_path_length_per_tree, strict=True
        )
        paths = [deep + rest - 1.0 for deep, rest in lengths]
        complete = [_completed(tree, path, depth) for tree, path in zip(trees, paths, strict=True)]
        feature, threshold, leaf = (np.stack(each) for each in zip(*complete, strict=True))
        denominator = np.array([len(trees) * _average_path_length(model._max_samples)])
        return cls(np.asarray(compress.scale_, float), feature, threshold, leaf, denominator)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave. KeyError where one is missing."""
        return cls(**{name: arrays[name] for name in ARRAYS})

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in ARRAYS}

    def score_samples(self, X: FloatArray) -> FloatArray:
        """As scikit-learn's pipeline does, to the bit: shape (n,), lower is rarer."""
        rows = np.ascontiguousarray((np.arcsinh(X) / self.scale).astype(np.float32))
        depths = _depths(rows, self.feature, self.threshold, self.leaf)
        if self.denominator[0] == 0:
            return -np.full(len(X), 0.5)
        return np.asarray(-(2 ** (-(depths / self.denominator[0]))))


def _completed(
    tree: Any, path: FloatArray, depth: int
) -> tuple[NDArray[np.int32], FloatArray, FloatArray]:
    """Feature and threshold of the inner nodes and the paths to the leaves, as Forest has them."""
    is_leaf, own = tree.children_left < 0, np.arange(tree.node_count)
    left = np.where(is_leaf, own, tree.children_left)
    right = np.where(is_leaf, own, tree.children_right)
    level, inner = np.zeros(1, np.int64), np.zeros(0, np.int64)
    for _ in range(depth):
        inner = np.concatenate([inner, level])
        level = np.stack([left[level], right[level]], axis=1).ravel()
    feature = np.where(is_leaf, 0, tree.feature).astype(np.int32)
    return feature[inner], tree.threshold[inner], path[level]


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
    feature: NDArray[np.int32],
    threshold: FloatArray,
    leaf: FloatArray,
) -> FloatArray:
    """The sum over trees, in their order, of the paths that each row takes; shape (n,).

    A block of rows goes down a level together, as none of their steps waits for another's.
    """
    trees, inner = feature.shape
    found, at = np.zeros(len(rows)), np.zeros(_BLOCK_ROWS, np.int64)
    for first in range(0, len(rows), _BLOCK_ROWS):
        block = rows[first : first + _BLOCK_ROWS]
        for tree in range(trees):
            at[:] = 0
            while at[0] < inner:
                for i in range(len(block)):
                    node = at[i]
                    goes_left = block[i, feature[tree, node]] <= threshold[tree, node]
                    at[i] = 2 * node + 2 - int(goes_left)
            for i in range(len(block)):
                found[first + i] += leaf[tree, at[i] - inner]
    return found

"""The one file in an artifact that holds the fitted model: written and read without running code.

skops with our own list of trusted types (the list that lies in a file is no boundary), or the text
of a LightGBM booster.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Any

import lightgbm
import numpy as np
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

SKOPS, BOOSTER = "model.skops", "model.txt"
# Besides what skops holds harmless by itself. Trees are looked at once more after loading.
TRUSTED_TYPES = (
    "mlops.detectors.compress.Compress",
    "mlops.detectors.health.HealthIndex",
    "mlops.detectors.mahalanobis.Mahalanobis",
    "mlops.detectors.tails.Tails",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.tree._tree.Tree",
)
# What reads each file, and so must not be older than what wrote it.
READ_BY = {SKOPS: ("scikit-learn", "skops"), BOOSTER: ("lightgbm",)}


class Malformed(ValueError):
    """The bytes are no model of ours; the message says why."""


def dumped(model: Any) -> tuple[str, bytes]:
    """Name and content of the file."""
    if isinstance(model, lightgbm.Booster):
        return BOOSTER, model.model_to_string().encode()
    return SKOPS, skops.io.dumps(model)


def loaded(model_file: str, content: bytes) -> Any:
    """The model in a file of that name. Malformed."""
    if model_file == BOOSTER:
        return _booster(content)
    if model_file != SKOPS:
        raise Malformed(f"its manifest names {model_file!r}, which is no model file in it")
    try:
        model = skops.io.loads(content, trusted=list(TRUSTED_TYPES))
    except UntrustedTypesFoundException as error:
        raise Malformed(f"it holds types that are not trusted: {error}") from error
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"its model cannot be read: {error}") from error
    for part in _parts(model):
        _check_trees(part)
        _check_support_vectors(part)
    return model


def columns_of(model: Any) -> int | None:
    """How many columns the model was fitted on; None where it does not say."""
    if isinstance(model, lightgbm.Booster):
        return int(model.num_feature())
    found = getattr(model, "n_features_in_", None)
    return None if found is None else int(found)


def _booster(text: bytes) -> lightgbm.Booster:
    try:
        return lightgbm.Booster(model_str=text.decode())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
        raise Malformed(f"its booster cannot be read: {error}") from error


def _parts(model: Any) -> Iterator[Any]:
    """The estimators inside pipelines and calibrations, whatever they are nested in."""
    inner = [step for _, step in getattr(model, "steps", ())]
    inner += [each.estimator for each in getattr(model, "calibrated_classifiers_", ())]
    for each in inner:
        yield from _parts(each)
    if not inner:
        yield model


def _check_trees(model: Any) -> None:
    """Node indices are used without bounds checks in compiled code: one out of range would crash
    the worker, so it is found here."""
    for estimator in getattr(model, "estimators_", ()):
        tree = estimator.tree_
        rows = np.arange(tree.node_count)
        left, right, feature = tree.children_left, tree.children_right, tree.feature
        leaf = left == -1
        sound = np.where(leaf, right == -1, (left > rows) & (right > rows))
        within = leaf | ((left < len(rows)) & (right < len(rows)))
        known = leaf | ((feature >= 0) & (feature < tree.n_features))
        if not (len(rows) and sound.all() and within.all() and known.all()):
            raise Malformed("one of its trees points outside itself")


def _check_support_vectors(model: Any) -> None:
    """The same for a support vector machine, whose counts are trusted by compiled code."""
    if not hasattr(model, "support_vectors_"):
        return
    rows, columns = model.support_vectors_.shape
    coefficients = model.dual_coef_.shape
    if columns != model.n_features_in_ or coefficients[-1] != rows:
        raise Malformed("its support vectors and their weights are not as many")
    if int(np.sum(model.n_support_)) != rows or len(model.support_) != rows:
        raise Malformed("its support vectors are not as many as it says")

"""A model as bytes and back: a zip of a manifest and one model file, nothing that runs code.

The bytes are what is hashed, signed, stored in the registry and cached. `unpack` is called with
bytes whose hash and signature were checked, and still trusts only the types that
`mlops.model_files` lists. What comes out is a detector on stored readings, or a predictor with
features of its own.
"""

from __future__ import annotations

import io
import json
import platform
import zipfile
from functools import cache
from importlib.metadata import version as version_of
from typing import Any

import numpy as np

from mlops import features
from mlops.detectors.base import Detector, Tail
from mlops.detectors.classified import Classified
from mlops.detectors.fitted import CANDIDATES, Fitted
from mlops.feature_sets import READINGS, UnknownFeatureSet, feature_set
from mlops.model_files import BOOSTER, READ_BY, SKOPS, Malformed, columns_of, dumped, loaded
from mlops.predictor import CLASSIFICATION, NOVELTY, REGRESSION, Predictor
from mlops.registry import MAX_BYTES

__all__ = ["BOOSTER", "SKOPS", "Learned", "Malformed", "manifest_of", "pack", "unpack"]

MANIFEST = "manifest.json"
LIBRARIES = ("scikit-learn", "skops", "lightgbm", "numpy")
Learned = Fitted | Classified | Predictor
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(model: Learned, about: dict[str, Any] | None = None) -> bytes:
    """`about` goes into the manifest, for people to read."""
    inner = model.pipeline if isinstance(model, Fitted) else model.model
    model_file, content = dumped(inner)
    manifest = {
        "detector": model.name,
        "model_file": model_file,
        "features": list(model.features_),
        "features_hash": features_hash_of(model),
        "libraries": libraries(),
        "python": platform.python_version(),
        "about": about or {},
        **_parameters(model),
    }
    return _zipped({MANIFEST: json.dumps(manifest, indent=1).encode(), model_file: content})


def unpack(artifact: bytes) -> Detector | Predictor:
    """The model in these bytes. Malformed for bytes that are none, for features that this release
    computes otherwise or not at all, and for libraries that cannot be trusted to read them."""
    manifest, contents = _opened(artifact)
    _check_features(manifest)
    model_file = str(manifest.get("model_file"))
    if model_file not in contents:
        raise Malformed(f"its manifest names {model_file!r}, which is no model file in it")
    _check_libraries(manifest, model_file)
    model = loaded(model_file, contents[model_file])
    _check_columns(model, manifest)
    return _predictor(manifest, model) if "task" in manifest else _detector(manifest, model)


@cache
def libraries() -> dict[str, str]:
    """What reads and writes models, by name and version."""
    return {name: version_of(name) for name in LIBRARIES}


def manifest_of(artifact: bytes) -> dict[str, Any]:
    """What the artifact says of itself."""
    return _opened(artifact)[0]


def manifest_bytes(artifact: bytes) -> bytes:
    """The manifest on its own, to be shown beside the artifact."""
    return json.dumps(manifest_of(artifact), indent=1).encode()


def contents_of(artifact: bytes) -> dict[str, bytes]:
    """Its model file, by name."""
    return _opened(artifact)[1]


def features_hash_of(model: Learned) -> str:
    """What tells the model's features from the same names computed otherwise."""
    if isinstance(model, Predictor):
        return feature_set(model.feature_set).fingerprint()
    return features.features_hash()


def _detector(manifest: dict[str, Any], model: Any) -> Detector:
    name = str(manifest.get("detector"))
    if "threshold" in manifest:
        return Classified(name, model, threshold=float(manifest["threshold"]))
    if name not in CANDIDATES or not hasattr(model, "score_samples"):
        raise Malformed(f"{name!r} with a {type(model).__name__} is no detector of this release")
    return Fitted(name, model, tail=_tail(manifest))


def _predictor(manifest: dict[str, Any], model: Any) -> Predictor:
    task = str(manifest["task"])
    try:
        outputs = tuple(str(each) for each in manifest["outputs"])
        threshold = float(manifest["threshold"])
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"its manifest does not say what it answers: {error}") from error
    _check_task(task, model, outputs)
    return Predictor(
        name=str(manifest.get("detector")),
        task=task,
        feature_set=str(manifest["feature_set"]),
        features_=tuple(manifest["features"]),
        outputs=outputs,
        model=model,
        threshold=threshold,
        tail=_tail(manifest) if task == NOVELTY else None,
    )


def _check_task(task: str, model: Any, outputs: tuple[str, ...]) -> None:
    booster = hasattr(model, "num_model_per_iteration")
    columns = model.num_model_per_iteration() if booster else _answers(model)
    fits = {
        CLASSIFICATION: columns == len(outputs) if columns > 1 else len(outputs) == 2,
        REGRESSION: columns == len(outputs) and not hasattr(model, "predict_proba"),
        NOVELTY: hasattr(model, "score_samples") and len(outputs) == 1,
    }
    if task == CLASSIFICATION and not booster:
        fits[task] = len(getattr(model, "classes_", ())) == len(outputs)
    if not fits.get(task, False):
        raise Malformed(f"a {type(model).__name__} does not answer {task} with {list(outputs)}")


def _answers(model: Any) -> int:
    """How many numbers a model of scikit-learn gives for a row: linear ones may give several."""
    weights = np.shape(getattr(model, "coef_", 0.0))
    return weights[0] if len(weights) == 2 else 1


def _check_features(manifest: dict[str, Any]) -> None:
    name = str(manifest.get("feature_set", READINGS))
    if ("task" in manifest) == (name == READINGS):
        raise Malformed(f"its manifest is that of no model: features {name!r}")
    columns, fingerprint = features.FEATURES, features.features_hash()
    if name != READINGS:
        try:
            known = feature_set(name)
        except UnknownFeatureSet as error:
            raise Malformed(f"this release cannot compute its features: {error}") from error
        columns, fingerprint = known.columns, known.fingerprint()
    if tuple(manifest.get("features", ())) != columns:
        raise Malformed("it was trained on other features than this release computes")
    if manifest.get("features_hash") != fingerprint:
        raise Malformed("its features have these names and were computed differently")


def _check_columns(model: Any, manifest: dict[str, Any]) -> None:
    columns = columns_of(model)
    if columns is not None and columns != len(manifest["features"]):
        raise Malformed(f"its model has {columns} columns and its features are not as many")


def _check_libraries(manifest: dict[str, Any], model_file: str) -> None:
    """What wrote a file must not be newer than what reads it here, nor of another release line."""
    stated = manifest.get("libraries")
    for library in READ_BY.get(model_file, ()):
        wrote = str(stated.get(library)) if isinstance(stated, dict) else "None"
        here = libraries()[library]
        if _release(wrote)[:2] != _release(here)[:2] or _release(wrote) > _release(here):
            raise Malformed(f"it was written by {library} {wrote}, and here is {here}; train again")


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version.

    >>> _release("1.9.1.post2")
    (1, 9, 1)
    """
    numbers = []
    for part in version.split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _parameters(model: Learned) -> dict[str, Any]:
    if isinstance(model, Predictor):
        return {
            "task": model.task,
            "feature_set": model.feature_set,
            "outputs": list(model.outputs),
            "threshold": model.threshold,
            **({"tail": _stated(model.tail, model.name)} if model.task == NOVELTY else {}),
        }
    if isinstance(model, Classified):
        return {"threshold": model.threshold}
    return {"tail": _stated(model.tail, model.name)}


def _stated(tail: Tail | None, name: str) -> dict[str, Any]:
    if tail is None:
        raise ValueError(f"{name} was not calibrated")
    # JSON writes the shortest decimal that reads back as the same float, so nothing is lost.
    return {
        "knots": tail.knots.tolist(),
        "rarities": tail.rarities.tolist(),
        "decade": tail.decade,
    }


def _tail(manifest: dict[str, Any]) -> Tail:
    try:
        stated = manifest["tail"]
        knots, rarities = np.array(stated["knots"]), np.array(stated["rarities"])
        return Tail(knots, rarities, float(stated["decade"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"its manifest has no usable tail: {error}") from error


def _zipped(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _opened(artifact: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(artifact)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise Malformed(f"it unpacks to more than {MAX_BYTES} bytes")
            contents = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(contents.pop(MANIFEST))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise Malformed(f"it is no zip with a manifest: {error}") from error
    if not isinstance(manifest, dict):
        raise Malformed("its manifest is no JSON object")
    return manifest, contents

"""A detector as bytes and back: a zip of a manifest and one model file, nothing that runs code.

The bytes are what is hashed, signed, stored in the registry and cached. `unpack` is called with
bytes whose hash and signature were checked, and still trusts only the types listed here.
"""

from __future__ import annotations

import io
import json
import platform
import zipfile
from importlib.metadata import version as version_of
from typing import Any

import lightgbm
import numpy as np
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from mlops import features
from mlops.detectors.base import Detector, Tail
from mlops.detectors.classified import Classified
from mlops.detectors.fitted import CANDIDATES, Fitted
from mlops.registry import MAX_BYTES

MANIFEST = "manifest.json"
SKOPS, BOOSTER = "model.skops", "model.txt"
LIBRARIES = ("scikit-learn", "skops", "lightgbm", "numpy")
# Besides what skops holds harmless by itself. Trees are looked at once more after loading.
TRUSTED_TYPES = (
    "mlops.detectors.compress.Compress",
    "mlops.detectors.mahalanobis.Mahalanobis",
    "mlops.detectors.tails.Tails",
    "sklearn.tree._tree.Tree",
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Malformed(ValueError):
    """The bytes are no detector of ours; the message says why."""


def pack(detector: Fitted | Classified, about: dict[str, Any] | None = None) -> bytes:
    """`about` goes into the manifest, for people to read."""
    model_file, model = _model_bytes(detector)
    manifest = {
        "detector": detector.name,
        "model_file": model_file,
        "features": list(detector.features_),
        "features_hash": features.features_hash(),
        "libraries": {name: version_of(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "about": about or {},
        **_parameters(detector),
    }
    return _zipped({MANIFEST: json.dumps(manifest, indent=1).encode(), model_file: model})


def unpack(artifact: bytes) -> Detector:
    """The detector in these bytes. Malformed for bytes that are none, or not for our features."""
    manifest, contents = _opened(artifact)
    if tuple(manifest.get("features", ())) != features.FEATURES:
        raise Malformed("it was trained on other features than this release computes")
    if manifest.get("features_hash") != features.features_hash():
        raise Malformed("its features have these names and were computed differently")
    model = _load_model(str(manifest.get("model_file")), contents)
    name = str(manifest.get("detector"))
    if "threshold" in manifest:
        return Classified(name, model, threshold=float(manifest["threshold"]))
    if name not in CANDIDATES or not hasattr(model, "score_samples"):
        raise Malformed(f"{name!r} with a {type(model).__name__} is no detector of this release")
    return Fitted(name, model, tail=_tail(manifest))


def manifest_of(artifact: bytes) -> dict[str, Any]:
    """What the artifact says of itself."""
    return _opened(artifact)[0]


def _parameters(detector: Fitted | Classified) -> dict[str, Any]:
    if isinstance(detector, Classified):
        return {"threshold": detector.threshold}
    if detector.tail is None:
        raise ValueError(f"{detector.name} was not calibrated")
    tail = detector.tail
    # JSON writes the shortest decimal that reads back as the same float, so nothing is lost.
    return {
        "tail": {
            "knots": tail.knots.tolist(),
            "rarities": tail.rarities.tolist(),
            "decade": tail.decade,
        }
    }


def _tail(manifest: dict[str, Any]) -> Tail:
    try:
        stated = manifest["tail"]
        knots, rarities = np.array(stated["knots"]), np.array(stated["rarities"])
        return Tail(knots, rarities, float(stated["decade"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"its manifest has no usable tail: {error}") from error


def _model_bytes(detector: Fitted | Classified) -> tuple[str, bytes]:
    model = detector.pipeline if isinstance(detector, Fitted) else detector.model
    if isinstance(model, lightgbm.Booster):
        return BOOSTER, model.model_to_string().encode()
    return SKOPS, skops.io.dumps(model)


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


def _load_model(model_file: str, contents: dict[str, bytes]) -> Any:
    if model_file not in {SKOPS, BOOSTER} or model_file not in contents:
        raise Malformed(f"its manifest names {model_file!r}, which is no model file in it")
    if model_file == BOOSTER:
        return _booster(contents[model_file])
    try:
        model = skops.io.loads(contents[model_file], trusted=list(TRUSTED_TYPES))
    except UntrustedTypesFoundException as error:
        raise Malformed(f"it holds types that are not trusted: {error}") from error
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"its model cannot be read: {error}") from error
    _check_trees(model)
    return model


def _booster(text: bytes) -> lightgbm.Booster:
    try:
        return lightgbm.Booster(model_str=text.decode())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
        raise Malformed(f"its booster cannot be read: {error}") from error


def _check_trees(model: Any) -> None:
    """Node indices are used without bounds checks in compiled code: one out of range would crash
    the worker, so it is found here."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    for estimator in getattr(last, "estimators_", ()):
        tree = estimator.tree_
        rows = np.arange(tree.node_count)
        left, right, feature = tree.children_left, tree.children_right, tree.feature
        leaf = left == -1
        sound = np.where(leaf, right == -1, (left > rows) & (right > rows))
        within = leaf | ((left < len(rows)) & (right < len(rows)))
        known = leaf | ((feature >= 0) & (feature < tree.n_features))
        if not (len(rows) and sound.all() and within.all() and known.all()):
            raise Malformed("one of its trees points outside itself")


def manifest_bytes(artifact: bytes) -> bytes:
    """The manifest on its own, to be shown beside the artifact."""
    return json.dumps(manifest_of(artifact), indent=1).encode()

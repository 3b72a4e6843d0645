"""Models on this machine's disk as they are used: arrays, which are read in milliseconds.

Made from an artifact that was checked and unpacked, signed with our key together with that
artifact's hash and the libraries and features of this release: what any other program or release
wrote is not read, and nothing in it is code.
"""

from __future__ import annotations

import hmac
import io
import json
from typing import Any
from zipfile import BadZipFile

import numpy as np
from django.conf import settings

from mlops import artifacts, features
from mlops.cache import Cellar
from mlops.detectors.base import Detector, Tail
from mlops.detectors.fitted import Fitted
from mlops.detectors.forest import Forest
from mlops.predictor import Predictor

_SIGNATURE_BYTES = 32
_TAIL = ("knots", "rarities", "decade")


def made(model: Detector | Predictor, sha256: str, cellar: Cellar) -> Detector | Predictor:
    """The model as it is used from now on; kept on disk where reading it again is worth it."""
    ready = model.in_arrays() if isinstance(model, Fitted) else None
    if ready is None:
        return model
    arrays: dict[str, Any] = {f"tail_{name}": getattr(ready.tail, name) for name in _TAIL}
    buffer = io.BytesIO()
    np.savez(buffer, name=np.array(model.name), **(arrays | ready.pipeline.arrays()))
    cellar.put_ready(sha256, _signature(sha256, buffer.getvalue()) + buffer.getvalue())
    return ready


def found(sha256: str, cellar: Cellar) -> Fitted | None:
    """What `made` kept of this artifact; None where it did not, or it is not as it was."""
    kept = cellar.get_ready(sha256)
    if kept is None:
        return None
    signature, content = kept[:_SIGNATURE_BYTES], kept[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(sha256, content)):
        return None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            stated = {name: arrays[f"tail_{name}"] for name in _TAIL}
            tail = Tail(stated["knots"], stated["rarities"], float(stated["decade"]))
            return Fitted(str(arrays["name"]), Forest.from_arrays(arrays), tail)
    except (KeyError, ValueError, BadZipFile):
        return None


def _signature(sha256: str, content: bytes) -> bytes:
    release = json.dumps([sha256, artifacts.libraries(), features.features_hash()]).encode()
    return hmac.digest(settings.MODEL_SIGNING_KEY.encode(), release + b"\n" + content, "sha256")

"""An approved version as a model: from this process, from this machine's disk, or the registry."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from mlops.approval import Refused, check_approval
from mlops.cache import Shelf
from mlops.detectors.base import Detector
from mlops.fetching import (
    ARTIFACTS,
    REGISTRY,
    NotTheOne,
    Unavailable,
    cellar,
    door,
    failed_just_now,
    fetched,
    go_on_behind,
)
from mlops.models import ModelApproval
from mlops.predictor import Predictor
from mlops.registry import Wait, patient
from mlops.tally import Tally, Took


def load(name: str, version: int, wait: Wait, tally: Tally) -> Detector | Predictor:
    """Refused, Unavailable."""
    approval = ModelApproval.objects.filter(name=name, version=version).first()
    return load_approved(check_approval(approval, name, version), wait, tally)


def load_approved(approval: ModelApproval, wait: Wait, tally: Tally) -> Detector | Predictor:
    """Refused, Unavailable. Who waits less than patiently leaves it to another process to go on."""
    shelf = _shelf()
    if (known := shelf.get(approval.sha256)) is not None:
        tally.hit(approval.name, approval.version)
        return known
    with tally.loading(approval.name, approval.version) as took:
        model = model_of(approval.name, approval.version, approval.sha256, wait, took)
    shelf.put(approval.sha256, model)
    return model


def at_hand(approval: ModelApproval) -> Detector | Predictor | None:
    """From this process or this machine's disk; else another process fetches it for the next time.

    Refused.
    """
    if (known := _shelf().get(approval.sha256)) is not None:
        return known
    if cellar().get(approval.sha256) is None:
        go_on_behind(approval.name, approval.version, approval.sha256)
        return None
    return load_approved(approval, patient(), Tally())


def model_of(name: str, version: int, sha256: str, wait: Wait, took: Took) -> Detector | Predictor:
    """What hashes to sha256, as a model; whether that may be loaded is known by then."""
    from mlops import artifacts, ready  # scientific libraries: only who loads a model needs them

    if (found := ready.found(sha256, cellar())) is not None:
        return found
    artifact, took.downloaded = _fetched(name, version, sha256, wait)
    try:
        unpacked = artifacts.unpack(artifact)
    except artifacts.Malformed as error:
        raise Refused(f"{name} v{version} is not loaded: {error}") from error
    return ready.made(unpacked, sha256, cellar())


def artifact_of(approval: ModelApproval) -> bytes:
    """From disk, else from the registry; either way the bytes that were approved."""
    return _fetched(approval.name, approval.version, approval.sha256, patient())[0]


def judges_readings(model: Detector | Predictor) -> bool:
    """Whether it scores stored readings, or answers something else."""
    return not isinstance(model, Predictor)


def forget() -> None:
    """Drop what this process keeps, and what this machine's breakers learnt."""
    _shelf.cache_clear()
    for what in (REGISTRY, ARTIFACTS):
        door(what).close()


def _fetched(name: str, version: int, sha256: str, wait: Wait) -> tuple[bytes, bool]:
    try:
        return fetched(name, version, sha256, wait)
    except NotTheOne as error:
        raise Refused(str(error)) from error
    except Unavailable as error:
        if wait.total_s < patient().total_s and failed_just_now(error):
            go_on_behind(name, version, sha256)
        raise


@cache
def _shelf() -> Shelf[Detector | Predictor]:
    return Shelf(settings.MODEL_CACHE_SIZE, settings.MODEL_CACHE_TTL_SECONDS)

"""Which champion judges which sensor, checked before it is loaded; or why there is none.

An outage of the registry or of its bucket costs one time-out; then the breaker answers at once,
the caller falls to the next lower rung, and scores again when the champion can be had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from django.conf import settings
from django.db.models import Q

from mlops import registry
from mlops.approval import Refused, check_approval, check_artifact
from mlops.cache import Cellar, Shelf
from mlops.detectors.base import Detector
from mlops.models import ModelApproval, Promotion
from mlops.predictor import Predictor
from smartmaint.lib import breaker

T = TypeVar("T")

PREFIX = "anomaly-"
SENSOR_PREFIX = f"{PREFIX}sensor-"
COOL_DOWN_S = 10.0


class Unavailable(Exception):
    """The version cannot be had now; the message says why."""


@dataclass(frozen=True, slots=True)
class Champion:
    name: str
    version: int
    detector: Detector


@dataclass(frozen=True, slots=True)
class NoChampion:
    """expected: there is one, which cannot be had now; score again when it can."""

    reason: str
    expected: bool


def model_for_kind(kind: str) -> str:
    """The registered name of the champion of a kind."""
    return f"{PREFIX}{kind}"


def model_for_sensor(sensor_id: int) -> str:
    """The registered name of a champion that is one sensor's own; it goes before its kind's."""
    return f"{SENSOR_PREFIX}{sensor_id}"


def sensor_of(name: str) -> int | None:
    """Whose own model it is; None for that of a kind."""
    own = name.removeprefix(SENSOR_PREFIX)
    return int(own) if name.startswith(SENSOR_PREFIX) and own.isdecimal() else None


def has_champion(sensor_id: int, kind: str) -> bool:
    """Whether a champion was ever promoted for the sensor or its kind; nothing is loaded."""
    names = (model_for_sensor(sensor_id), model_for_kind(kind))
    return Promotion.objects.filter(name__in=names).exists()


def champions_for(sensors: Iterable[tuple[int, str]]) -> dict[int, Champion | NoChampion]:
    """The champion of each (sensor id, kind), or why it has none.

    The registry is asked once a call, so a promotion, a roll-back and an outage show at once; each
    distinct model is checked and loaded once.
    """
    names = {pk: (model_for_sensor(pk), model_for_kind(kind)) for pk, kind in sensors}
    wanted = {name for pair in names.values() for name in pair}
    promoted = set(Promotion.objects.filter(name__in=wanted).values_list("name", flat=True))
    approved = set(ModelApproval.objects.filter(name__in=wanted).values_list("name", flat=True))
    if not promoted | approved:
        return {pk: _none_yet(pair) for pk, pair in names.items()}
    try:
        aliases = _guarded("model registry", lambda: registry.champions(PREFIX))
    except Unavailable as away:
        return {pk: _away(pair, promoted, str(away)) for pk, pair in names.items()}
    found = _served({(name, aliases[name]) for name in wanted if name in aliases})
    return {pk: _first(pair, found) for pk, pair in names.items()}


def load(name: str, version: int | None = None) -> Detector | Predictor:
    """A registered version, or the champion of that name, checked.

    Raises Unavailable, or Refused with the reason.
    """
    number = champion_version(name) if version is None else version
    approval = ModelApproval.objects.filter(name=name, version=number).first()
    return _load(check_approval(approval, name, number))


def load_detector(name: str, version: int) -> Detector:
    """The same for what judges stored readings; Refused where the model does something else."""
    return _as_detector(load(name, version), name)


def judges_readings(model: Detector | Predictor) -> bool:
    """Whether it scores stored readings, or answers something else."""
    return not isinstance(model, Predictor)


def artifact_of(approval: ModelApproval) -> bytes:
    """From disk, else from the registry; either way the bytes that were approved."""
    cellar = Cellar(settings.MODEL_CACHE_DIR, settings.MODEL_CACHE_SIZE)
    if (kept := cellar.get(approval.sha256)) is not None:
        return kept
    artifact = _guarded(
        "model artifacts", lambda: registry.download(approval.name, approval.version)
    )
    check_artifact(approval, artifact)
    cellar.put(artifact)
    return artifact


def champion_version(name: str) -> int:
    """Which version the registry calls champion now. Unavailable where it has none."""
    aliases = _guarded("model registry", lambda: registry.aliases_of(name))
    if registry.CHAMPION not in aliases:
        raise Unavailable(f"{name} has no champion")
    return aliases[registry.CHAMPION]


def forget() -> None:
    """Drop what this process keeps: detectors, and what its breakers learnt."""
    _shelf.cache_clear()
    _breaker.cache_clear()


def _none_yet(pair: tuple[str, str]) -> NoChampion:
    return NoChampion(f"no champion was ever promoted for {pair[1]}", expected=False)


def _away(pair: tuple[str, str], promoted: set[str], reason: str) -> NoChampion:
    return NoChampion(reason, expected=True) if promoted & {*pair} else _none_yet(pair)


def _first(pair: tuple[str, str], found: dict[str, Champion | NoChampion]) -> Champion | NoChampion:
    """The sensor's own model goes before its kind's, also when it cannot be had: a sensor that was
    given its own is not to be judged by the other one for a while."""
    return next((found[name] for name in pair if name in found), _none_yet(pair))


def _served(versions: set[tuple[str, int]]) -> dict[str, Champion | NoChampion]:
    either = Q(pk__in=[])
    for name, version in versions:
        either |= Q(name=name, version=version)
    approvals = {(row.name, row.version): row for row in ModelApproval.objects.filter(either)}
    found: dict[str, Champion | NoChampion] = {}
    for name, version in versions:
        try:
            approval = check_approval(approvals.get((name, version)), name, version)
            detector = _as_detector(_load(approval), name)
            found[name] = Champion(name, version, detector)
        except (Refused, Unavailable) as reason:
            found[name] = NoChampion(str(reason), expected=True)
    return found


def _as_detector(model: Detector | Predictor, name: str) -> Detector:
    if isinstance(model, Predictor):
        raise Refused(f"{name} is no detector of readings: its task is {model.task}")
    return model


def _load(approval: ModelApproval) -> Detector | Predictor:
    from mlops import artifacts  # the scientific libraries: only who loads a model needs them

    shelf = _shelf()
    if (known := shelf.get(approval.sha256)) is not None:
        return known
    artifact = artifact_of(approval)
    try:
        model = artifacts.unpack(artifact)
    except artifacts.Malformed as error:
        raise Refused(f"{approval} is not loaded: {error}") from error
    shelf.put(approval.sha256, model)
    return model


def _guarded(what: str, ask: Callable[[], T]) -> T:
    try:
        return _breaker(what).call(ask, on=(registry.RegistryAway,))
    except (registry.RegistryAway, registry.NotRegistered, breaker.Open) as error:
        raise Unavailable(str(error)) from error


@cache
def _shelf() -> Shelf[Detector | Predictor]:
    return Shelf(settings.MODEL_CACHE_SIZE, settings.MODEL_CACHE_TTL_SECONDS)


@cache
def _breaker(what: str) -> breaker.Breaker:
    # One failure opens: a time-out already took as long as a caller should ever wait.
    return breaker.Breaker(what, failures=1, cool_down_s=COOL_DOWN_S)

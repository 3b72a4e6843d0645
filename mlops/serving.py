"""Which model judges which sensor, checked before it is loaded; or why there is none.

`champions_for` is the one place that decides it. The sensor's own model goes before its kind's. A
champion that is refused leaves its place to the last one that was good. One that cannot be had in
time leaves the sensor to the next lower rung; its scores are made again when it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import MappingProxyType

from django.db.models import Q

from mlops import loading, registry
from mlops.approval import Refused, check_approval
from mlops.detectors.base import Detector
from mlops.fetching import REGISTRY, Unavailable, guarded, hurried, soon
from mlops.loading import artifact_of, forget, judges_readings, load_approved
from mlops.models import ModelApproval, Promotion
from mlops.predictor import Predictor
from mlops.tally import Tally

__all__ = [
    "Challenger",
    "Champion",
    "NoChampion",
    "Refused",
    "Unavailable",
    "artifact_of",
    "as_if_champions",
    "champion_version",
    "champions_for",
    "forget",
    "has_champion",
    "judges_readings",
    "load",
    "load_detector",
    "model_for_kind",
    "model_for_sensor",
    "promoted",
    "sensor_of",
]

PREFIX = "anomaly-"
SENSOR_PREFIX = f"{PREFIX}sensor-"
# Champions before the refused one that are tried in its stead.
TRIED_BEFORE = 3
_as_if: ContextVar[Mapping[str, int]] = ContextVar("_as_if", default=MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Challenger:
    version: int
    detector: Detector


@dataclass(frozen=True, slots=True)
class Champion:
    """instead_of: why the version that should serve does not; empty where this is the one.

    challenger: scores beside it and raises nothing; None where there is none at hand.
    """

    name: str
    version: int
    detector: Detector
    instead_of: str = ""
    challenger: Challenger | None = None

    @property
    def expected(self) -> bool:
        """Whether another one is to score again what this one scores."""
        return bool(self.instead_of)

    @property
    def reason(self) -> str:
        return self.instead_of


@dataclass(frozen=True, slots=True)
class NoChampion:
    """expected: there is one, which cannot be had now; score again when it can."""

    reason: str
    expected: bool
    name: str = ""


Served = Champion | NoChampion


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
    return promoted(sensor_id, kind) is not None


def promoted(sensor_id: int, kind: str) -> Promotion | None:
    """The newest promotion of the model that is to judge the sensor; nothing is loaded."""
    names = (model_for_sensor(sensor_id), model_for_kind(kind))
    newest = Promotion.objects.filter(name__in=names).order_by("name", "-promoted_at", "-id")
    found = {row.name: row for row in newest.distinct("name")}
    return next((found[name] for name in names if name in found), None)


def champions_for(sensors: Iterable[tuple[int, str]]) -> dict[int, Served]:
    """The champion of each (sensor id, kind), or why it has none.

    The registry is asked once a call, so a promotion, a roll-back and an outage show at once; each
    distinct model is checked and loaded once. Nothing is waited for longer than
    MODEL_PATIENCE_SECONDS in all.
    """
    names = {pk: (model_for_sensor(pk), model_for_kind(kind)) for pk, kind in sensors}
    wanted = {name for pair in names.values() for name in pair}
    promoted = set(Promotion.objects.filter(name__in=wanted).values_list("name", flat=True))
    approved = set(ModelApproval.objects.filter(name__in=wanted).values_list("name", flat=True))
    if not promoted | approved:
        return {pk: _none_yet(pair) for pk, pair in names.items()}
    tally, until = Tally(), soon()
    try:
        roles = guarded(REGISTRY, lambda: registry.roles(PREFIX, hurried(until)))
        champions = _at(registry.CHAMPION, roles, wanted) | {
            name: version for name, version in _as_if.get().items() if name in wanted
        }
        found = _challenged(_served(champions, tally, until), roles)
        served = {pk: _first(pair, found) for pk, pair in names.items()}
    except Unavailable as away:
        served = {pk: _away(pair, promoted, str(away)) for pk, pair in names.items()}
        for name in {each.name for each in served.values() if each.name}:
            tally.failed(name, None, str(away))
    tally.keep()
    return served


@contextmanager
def as_if_champions(versions: Mapping[str, int]) -> Iterator[None]:
    """Within the block these versions, by name, serve as champions; they must be approved."""
    token = _as_if.set(versions)
    try:
        yield
    finally:
        _as_if.reset(token)


def load(name: str, version: int | None = None) -> Detector | Predictor:
    """A registered version, or the champion of that name, checked; waited for patiently.

    Raises Unavailable, or Refused with the reason.
    """
    number = champion_version(name) if version is None else version
    return loading.load(name, number, registry.patient(), Tally())


def load_detector(name: str, version: int) -> Detector:
    """The same for what judges stored readings; Refused where the model does something else."""
    return _as_detector(load(name, version), name)


def champion_version(name: str) -> int:
    """Which version the registry calls champion now. Unavailable where it has none."""
    aliases = guarded(REGISTRY, lambda: registry.aliases_of(name))
    if registry.CHAMPION not in aliases:
        raise Unavailable(f"{name} has no champion")
    return aliases[registry.CHAMPION]


def _none_yet(pair: tuple[str, str]) -> NoChampion:
    return NoChampion(f"no champion was ever promoted for {pair[1]}", expected=False)


def _away(pair: tuple[str, str], promoted: set[str], reason: str) -> NoChampion:
    name = next((name for name in pair if name in promoted), None)
    return NoChampion(reason, expected=True, name=name) if name else _none_yet(pair)


def _first(pair: tuple[str, str], found: Mapping[str, Served]) -> Served:
    """The sensor's own model goes before its kind's, also when it cannot be had: a sensor that was
    given its own is not to be judged by the other one for a while."""
    return next((found[name] for name in pair if name in found), _none_yet(pair))


def _at(
    alias: str, roles: Mapping[str, Mapping[str, int]], wanted: Iterable[str]
) -> dict[str, int]:
    return {name: roles[name][alias] for name in wanted if alias in roles.get(name, {})}


def _challenged(
    found: dict[str, Served], roles: Mapping[str, Mapping[str, int]]
) -> dict[str, Served]:
    """With the challengers that are at hand: nobody waits for one, and none can be in the way."""
    rivals = _at(registry.CHALLENGER, roles, found)
    approvals = _approvals(rivals)
    for name, version in rivals.items():
        champion = found[name]
        if isinstance(champion, Champion) and champion.version != version:
            found[name] = replace(champion, challenger=_challenger(approvals.get(name), version))
    return found


def _challenger(approval: ModelApproval | None, version: int) -> Challenger | None:
    if approval is None:
        return None
    try:
        model = loading.at_hand(check_approval(approval, approval.name, version))
    except Refused:
        return None
    return Challenger(version, model) if model and not isinstance(model, Predictor) else None


def _approvals(versions: Mapping[str, int]) -> dict[str, ModelApproval]:
    either = Q(pk__in=[])
    for name, version in versions.items():
        either |= Q(name=name, version=version)
    return {row.name: row for row in ModelApproval.objects.filter(either)} if versions else {}


def _served(versions: Mapping[str, int], tally: Tally, until: float) -> dict[str, Served]:
    approvals = _approvals(versions)
    return {
        name: _or_the_last_good(name, version, approvals.get(name), tally, until)
        for name, version in versions.items()
    }


def _or_the_last_good(
    name: str, version: int, approval: ModelApproval | None, tally: Tally, until: float
) -> Served:
    try:
        return Champion(name, version, _detector(approval, name, version, tally, until))
    except Unavailable as reason:
        tally.failed(name, version, str(reason))
        return NoChampion(str(reason), expected=True, name=name)
    except Refused as reason:
        tally.failed(name, version, str(reason))
        last = _last_good(name, version, str(reason), tally, until)
        return last or NoChampion(str(reason), expected=True, name=name)


def _last_good(name: str, version: int, reason: str, tally: Tally, until: float) -> Champion | None:
    """The newest champion before that one which still may be loaded and can be had."""
    before = Promotion.objects.filter(name=name).exclude(version=version)
    numbers = dict.fromkeys(before.values_list("version", flat=True))
    for number in list(numbers)[:TRIED_BEFORE]:
        approval = ModelApproval.objects.filter(name=name, version=number).first()
        try:
            detector = _detector(approval, name, number, tally, until)
        except (Refused, Unavailable):
            continue
        return Champion(name, number, detector, instead_of=reason)
    return None


def _detector(
    approval: ModelApproval | None, name: str, version: int, tally: Tally, until: float
) -> Detector:
    checked = check_approval(approval, name, version)
    return _as_detector(load_approved(checked, hurried(until), tally), name)


def _as_detector(model: Detector | Predictor, name: str) -> Detector:
    if isinstance(model, Predictor):
        raise Refused(f"{name} is no detector of readings: its task is {model.task}")
    return model

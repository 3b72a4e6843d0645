"""When anomalies become an episode, and when one is over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sensors.kinds import KINDS, OTHER

CREDIBLE, INVESTIGATE = "credible_anomaly", "further_investigation_needed"
SUSPECTED = "false_positive_suspected"


class EpisodePolicyError(ValueError):
    """A policy that names what does not exist or holds a number out of range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePolicy:
    """Levels and counts; two of each, so that what flaps around a limit is one episode.

    statuses: published statuses of anomalies that count at all. To enter: `enter_anomalies` of them
    within `enter_window_s`, each of `enter_score` and `enter_readings` anomalous readings. While
    one is open, weaker ones keep it so, from `exit_score` on. To leave: every sensor that moved was
    scored for `exit_quiet_s` after the last of them and had `exit_readings` readings in that time;
    silence is no recovery. What comes back within `rejoin_s` is the same episode. Raises
    EpisodePolicyError.
    """

    statuses: tuple[str, ...] = (CREDIBLE, INVESTIGATE)
    enter_score: float = 0.6
    enter_readings: int = 1
    enter_anomalies: int = 1
    enter_window_s: float = 3_600.0
    exit_score: float = 0.5
    exit_quiet_s: float = 3_600.0
    exit_readings: int = 5
    rejoin_s: float = 86_400.0

    def __post_init__(self) -> None:
        for known in fields(self):
            if known.name != "statuses":
                _require_number(known.name, getattr(self, known.name), whole=known.type == "int")
        object.__setattr__(self, "statuses", tuple(self.statuses))
        if not self.statuses or set(self.statuses) - {CREDIBLE, INVESTIGATE, SUSPECTED}:
            raise EpisodePolicyError(f"statuses: of {CREDIBLE}, {INVESTIGATE}, {SUSPECTED}.")
        _require(
            0 <= self.exit_score <= self.enter_score <= 1, "0 <= exit_score <= enter_score <= 1"
        )
        _require(self.enter_readings >= 1, "enter_readings >= 1")
        _require(1 <= self.enter_anomalies <= 100, "1 <= enter_anomalies <= 100")
        _require(self.enter_window_s > 0, "enter_window_s > 0")
        _require(0 <= self.exit_readings <= 1000, "0 <= exit_readings <= 1000")
        _require(0 < self.exit_quiet_s <= self.rejoin_s, "0 < exit_quiet_s <= rejoin_s")


@dataclass(frozen=True, slots=True)
class EpisodePolicies:
    """The policy of every kind of sensor."""

    everywhere: EpisodePolicy = field(default_factory=EpisodePolicy)
    kinds: Mapping[str, EpisodePolicy] = field(default_factory=dict)

    def of(self, kind: str) -> EpisodePolicy:
        return self.kinds.get(kind, self.everywhere)


def parse(setting: object) -> EpisodePolicies:
    """The policies in an EPISODE_POLICY setting. Raises EpisodePolicyError.

    >>> policies = parse({"exit_quiet_s": 600, "kinds": {"flow": {"enter_anomalies": 3}}})
    >>> policies.of("flow").enter_anomalies, policies.of("flow").exit_quiet_s
    (3, 600)
    >>> policies.of("vibration").enter_anomalies
    1
    """
    own = _known(setting, "EPISODE_POLICY", also={"kinds"})
    kinds = own.pop("kinds", {})
    if not isinstance(kinds, Mapping) or set(kinds) - {*KINDS, OTHER.name}:
        raise EpisodePolicyError(f"kinds: of {', '.join([*KINDS, OTHER.name])}.")
    everywhere = EpisodePolicy(**own)
    changed = {
        kind: replace(everywhere, **_known(part, f"kinds.{kind}")) for kind, part in kinds.items()
    }
    return EpisodePolicies(everywhere, changed)


def _known(setting: object, where: str, also: set[str] | None = None) -> dict[str, Any]:
    names = {known.name for known in fields(EpisodePolicy)}
    if not isinstance(setting, Mapping) or set(setting) - names - (also or set()):
        raise EpisodePolicyError(f"{where}: known names are {', '.join(sorted(names))}.")
    return dict(setting)


def _require_number(name: str, value: object, *, whole: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise EpisodePolicyError(f"{name} is {value!r}, not a {'whole ' if whole else ''}number.")


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise EpisodePolicyError(f"{rule} does not hold.")

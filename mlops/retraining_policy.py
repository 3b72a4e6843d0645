"""When the model of a kind is to be trained again. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


class RetrainingPolicyError(ValueError):
    """A policy that names what does not exist or holds a number out of range."""


@dataclass(frozen=True, slots=True)
class RetrainingPolicy:
    """Stored with every retraining.

    drifted_share: of the sensors of a kind that must have drifted since its newest version was
    trained. max_age_days: after so many it is trained again whatever the sensors read. Between two
    of one kind lie cool_down_days, also where the first one failed.
    """

    drifted_share: float = 0.25
    max_age_days: float = 30.0
    cool_down_days: float = 7.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a kind's newest version and its sensors stand.

    age_days: since the version was trained; None where there is none. drifted: how many of its
    `sensors` drifted since. since_last_days: since its last retraining began, None before that.
    """

    age_days: float | None
    drifted: int
    sensors: int
    since_last_days: float | None


@dataclass(frozen=True, slots=True)
class Due:
    """reason: a sentence for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotDue:
    """reason: a sentence for people."""

    reason: str


def judge(standing: Standing, policy: RetrainingPolicy) -> Due | NotDue:
    """Whether to train now, and why.

    >>> judge(Standing(3.0, 2, 8, None), RetrainingPolicy())
    Due(reason='2 of 8 sensors drifted since it was trained')
    >>> judge(Standing(3.0, 1, 8, None), RetrainingPolicy()).reason
    'trained 3.0 days ago; 1 of 8 sensors drifted since'
    """
    if standing.age_days is None:
        return NotDue("nothing was ever trained for it; `manage.py train anomaly` does")
    cooling = standing.since_last_days
    if cooling is not None and cooling < policy.cool_down_days:
        return NotDue(f"trained again {cooling:.1f} days ago; not within {policy.cool_down_days:g}")
    drifted = f"{standing.drifted} of {standing.sensors} sensors drifted since"
    if standing.drifted and standing.drifted >= policy.drifted_share * standing.sensors:
        return Due(f"{drifted} it was trained")
    if standing.age_days >= policy.max_age_days:
        return Due(f"trained {standing.age_days:.0f} days ago")
    return NotDue(f"trained {standing.age_days:.1f} days ago; {drifted}")


def parse(setting: dict[str, Any]) -> RetrainingPolicy:
    """The policy in a RETRAINING_POLICY setting. Raises RetrainingPolicyError.

    >>> parse({"max_age_days": 90}).max_age_days
    90
    """
    known = RetrainingPolicy.__dataclass_fields__
    if not isinstance(setting, dict) or set(setting) - set(known):
        raise RetrainingPolicyError(f"known names are {', '.join(known)}.")
    for name, value in setting.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise RetrainingPolicyError(f"{name} is {value!r}, not a number above 0.")
    policy = RetrainingPolicy(**setting)
    if policy.drifted_share > 1:
        raise RetrainingPolicyError("drifted_share is at most 1.")
    return policy

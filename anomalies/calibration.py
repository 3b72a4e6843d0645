"""Thresholds from verdicts: proposed on the older ones, tried on the newer ones. Pure.

A proposal moves the level below which an anomaly is a suspected false positive as little as it must
to leave out what people refuted, and never as far as what they confirmed. Whether it would have
done so is asked of the verdicts that it was not made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

HELD_BACK_SHARE = 0.3  # of the verdicts, the newest
FEWEST, FEWEST_HELD_BACK = 8, 3
MARGIN = 0.03  # from a confidence that was seen to a threshold
LEAST, MOST = 0.1, 0.65
LEAST_MOVE = 0.01
DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Thresholds:
    """0 <= false_positive <= credible <= 1."""

    false_positive: float
    credible: float


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict on an anomaly, with the confidence that it would have before the verdict.

    given: when; own: whether on the scope's own sensors, else it only protects faults of its kind.
    """

    anomaly: int
    confidence: float
    is_confirmed: bool
    given: datetime
    own: bool = True


@dataclass(frozen=True, slots=True)
class Effect:
    """What thresholds do to verdicts: how many refuted ones nobody would be bothered with, and
    which confirmed ones nobody would be told of."""

    refuted: int
    confirmed: int
    spared: int
    missed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """refusal: why it must not be applied; empty when it may. tried_*: on what was held back."""

    before: Thresholds
    after: Thresholds
    made_from: int
    tried_before: Effect
    tried_after: Effect
    refusal: str

    @property
    def moves(self) -> bool:
        return abs(self.after.false_positive - self.before.false_positive) >= LEAST_MOVE


def propose(verdicts: Iterable[Said], before: Thresholds) -> Proposal:
    """Thresholds for the scope that these verdicts are of.

    >>> from datetime import UTC, timedelta
    >>> day = lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n)
    >>> doors = [Said(n, 0.5, False, day(n)) for n in range(10)]
    >>> found = propose([*doors, Said(10, 0.8, True, day(2))], Thresholds(0.4, 0.7))
    >>> found.after, found.tried_before.spared, found.tried_after.spared, found.refusal
    (Thresholds(false_positive=0.53, credible=0.7), 0, 3, '')
    """
    ordered = sorted(verdicts, key=lambda one: (one.given, one.anomaly))
    own = [one for one in ordered if one.own]
    n_held = max(FEWEST_HELD_BACK, round(HELD_BACK_SHARE * len(own)))
    held_own = own[-n_held:]
    since = held_own[0].given if held_own else None
    held_ids = {one.anomaly for one in held_own}
    held = [one for one in ordered if since is not None and (
        one.anomaly in held_ids or (not one.own and one.given >= since))]  # fmt: skip
    known = [one for one in ordered if one not in held]
    after = _fitted(known, before)
    tried_before, tried_after = effect(held, before), effect(held, after)
    refusal = _refusal(len(own), tried_before, tried_after)
    return Proposal(before, after, len(known), tried_before, tried_after, refusal)


def effect(verdicts: Sequence[Said], thresholds: Thresholds) -> Effect:
    own = [one for one in verdicts if one.own and not one.is_confirmed]
    confirmed = [one for one in verdicts if one.is_confirmed]
    return Effect(
        refuted=len(own),
        confirmed=len(confirmed),
        spared=sum(one.confidence < thresholds.false_positive for one in own),
        missed=tuple(
            one.anomaly for one in confirmed if one.confidence < thresholds.false_positive
        ),
    )


def _fitted(known: Sequence[Said], before: Thresholds) -> Thresholds:
    """As low as leaves out what was refuted, and below all that was confirmed."""
    confirmed = [one.confidence for one in known if one.is_confirmed]
    room = min([MOST, *(confidence - MARGIN for confidence in confirmed)])
    refuted = [one.confidence for one in known if one.own and not one.is_confirmed]
    under = [confidence for confidence in refuted if confidence + MARGIN <= room]
    wanted = max(under) + MARGIN if under else before.false_positive
    # Where what is left out now was confirmed it falls; else it does not.
    level = min(max(wanted, before.false_positive), room)
    level = round(max(level, min(LEAST, before.false_positive)), DECIMALS)
    return Thresholds(level, max(before.credible, level))


def _refusal(own: int, before: Effect, after: Effect) -> str:
    if own < FEWEST:
        return f"{own} verdicts, {FEWEST} are needed"
    missed = sorted(set(after.missed) - set(before.missed))
    if missed:
        named = ", ".join(map(str, missed[:5]))
        return f"{len(missed)} confirmed faults would be missed: anomalies {named}"
    return ""

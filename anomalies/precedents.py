"""What people said of anomalies that looked like this one. Pure.

A sensor next to a door is right about the cold and wrong about the machine; its other anomalies
deserve the trust they had. So a verdict counts for what looks like the anomaly it was given on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from anomalies import excursion
from anomalies.credibility import faded
from anomalies.evidence import Evidence, Term
from anomalies.excursion import Excursion
from anomalies.policy import ValidationPolicy

SOURCE = "precedents"
# Of what differs by so much a likeness of exp(-1/2) is left.
SIZE_OCTAVES = 1.0
DURATION_OCTAVES = 1.5
READINGS_OCTAVES = 1.0  # of an excursion, beyond the readings whose course is compared
DAYTIME_HOURS = 1.5
# Of a likeness that another time of day can take at most: faults keep no hours, nuisances often do.
# The course that a value ran says much by itself, what a detector said of it less.
DAYTIME_SHARE, DAYTIME_SHARE_OF_COURSE = 0.6, 0.3
LEAST_WEIGHT = 0.1  # of a verdict: what resembles less says nothing
# A refutation says that so much is nothing, and not that so many times as much is. One nuisance is
# hardly ever more than twice as large as another.
BEYOND = 3.0
# What has changed around a sensor shows in what its anomalies look like, so that a verdict on their
# likes fades more slowly than one on the sensor.
HALF_LIFE_DAYS = 365.0


@dataclass(frozen=True, slots=True)
class Look:
    """How an anomaly looks, for comparison.

    shares: feature to its share of the score; side: -1 below what was expected, 1 above, 0 within
    or not known; size: distance from the middle of the expected band in half-widths of it, else
    alarm levels; duration_s: seconds; hour: of the day in the site's time zone, 0..24; readings:
    how many were odd.
    """

    shares: tuple[tuple[str, float], ...]
    side: int
    size: float
    duration_s: float
    hour: float
    excursion: Excursion | None = None
    readings: int = 1

    @classmethod
    def of(cls, evidence: Evidence) -> Look:
        low, high = evidence.expected_low, evidence.expected_high
        side, size = 0, evidence.score / max(1.0 - evidence.score, 1e-6)
        if low is not None and high is not None and high > low:
            side = int(evidence.value > high) - int(evidence.value < low)
            size = abs(evidence.value - (low + high) / 2) / ((high - low) / 2)
        return cls(
            *(evidence.shares, side, size, evidence.duration_s, evidence.hour or 0.0),
            excursion=evidence.excursion,
            readings=evidence.readings,
        )


@dataclass(frozen=True, slots=True)
class Precedent:
    """A verdict on an anomaly of the same sensor, by its number, and how that looked."""

    anomaly: int
    is_confirmed: bool
    age_days: float
    look: Look


def likeness(one: Look, other: Look) -> float:
    """0..1; 1 for what looks the same. Symmetric.

    By their excursions where one shows. What moves nothing by much (a scatter that grows, a slow
    drift) or is not known so closely is compared by what the detector said of it.

    >>> noon = Look((("z", 1.0),), 1, 3.0, 600.0, 12.0)
    >>> likeness(noon, noon), likeness(noon, Look((("z", 1.0),), -1, 3.0, 600.0, 12.0))
    (1.0, 0.0)
    """
    if one.excursion is not None and other.excursion is not None:
        alike = excursion.likeness(one.excursion, other.excursion)
        if alike is not None:
            return alike * _lasting(one, other) * _daytime(one, other, DAYTIME_SHARE_OF_COURSE)
    return _likeness_by_detector(one, other)


def _likeness_by_detector(one: Look, other: Look) -> float:
    if one.side * other.side < 0:
        return 0.0
    theirs = dict(other.shares)
    overlap = sum(min(share, theirs.get(name, 0.0)) for name, share in one.shares)
    size = math.log2((1 + one.size) / (1 + other.size)) / SIZE_OCTAVES
    lasted = math.log2((60 + one.duration_s) / (60 + other.duration_s)) / DURATION_OCTAVES
    alike = min(overlap, 1.0) * math.exp(-0.5 * (size**2 + lasted**2))
    return alike * _daytime(one, other, DAYTIME_SHARE)


def _lasting(one: Look, other: Look) -> float:
    """What goes on for long is something else, even if it began like a door."""
    longer = (excursion.ROWS + one.readings) / (excursion.ROWS + other.readings)
    return math.exp(-0.5 * (math.log2(longer) / READINGS_OCTAVES) ** 2)


def _daytime(one: Look, other: Look, share: float) -> float:
    """What another time of day leaves: 1 - share at least."""
    apart = abs(one.hour - other.hour)
    hours = min(apart, 24 - apart) / DAYTIME_HOURS
    return 1 - share + share * math.exp(-0.5 * hours**2)


def times_larger(one: Look, other: Look) -> float:
    """How many times as far `one` went as `other`; 0 where that cannot be told.

    By their excursions, of which the other's counts as one that just shows at least; without these
    by their distances from the band, where both lie outside it.

    >>> door, spike = Excursion((-5.0, -3.0), 0.1), Excursion((20.0,), 0.1)
    >>> one, other = (Look((), -1, 3.0, 600.0, 12.0, excursion=went) for went in (spike, door))
    >>> times_larger(one, other)
    4.0
    >>> near, far, within = (Look((), *at, 600.0, 12.0) for at in ((-1, 3.0), (-1, 9.0), (0, 3.0)))
    >>> times_larger(far, near), times_larger(within, near)
    (3.0, 0.0)
    """
    if one.excursion is not None and other.excursion is not None:
        return excursion.times_larger(one.excursion, other.excursion)
    return one.size / other.size if one.side and other.side and other.size else 0.0


def is_beyond(precedents: Iterable[Precedent], evidence: Evidence) -> bool:
    """Whether it went several times as far as anything that people refuted of its sensor: what they
    said of that says nothing against it. False where they refuted nothing."""
    look = Look.of(evidence)
    refuted = [one.look for one in precedents if not one.is_confirmed]
    return bool(refuted) and all(times_larger(look, one) >= BEYOND for one in refuted)


def terms(
    precedents: Iterable[Precedent],
    evidence: Evidence,
    policy: ValidationPolicy,
    *,
    without: float,
) -> Iterator[Term]:
    """What takes the confidence from what it is without them to the mean of a Beta posterior.

    Its prior has the mean `without`, as far as that lies in 0..1, and the weight of
    `policy.precedent_prior` verdicts; a verdict counts as much as its anomaly looks like this one.
    A breached limit needs no likes, and what is beyond all that was refuted fears none.
    """
    if evidence.is_limit_breach:
        return
    known, look = list(precedents), Look.of(evidence)
    if is_beyond(known, evidence):
        reason = f"at least {BEYOND:.2g} times as far as anything that people refuted"
        yield Term(SOURCE, "beyond", 0.0, f"{reason}: that is not held against it")
        known = [one for one in known if one.is_confirmed]
    if not known:
        return
    alike = np.array([likeness(look, one.look) for one in known])
    weights = alike * faded(np.array([one.age_days for one in known]), HALF_LIFE_DAYS)
    is_confirmed = np.array([one.is_confirmed for one in known], np.bool_)
    up, down = float(weights[is_confirmed].sum()), float(weights[~is_confirmed].sum())
    if up + down < LEAST_WEIGHT:
        return
    prior = policy.precedent_prior
    mean = (prior * min(max(without, 0.0), 1.0) + up) / (prior + up + down)
    likest = known[int(alike.argmax())].anomaly
    reason = f"of what looked like it, people confirmed {up:.2g} and refuted {down:.2g}"
    reason += f"; most like it is anomaly {likest}"
    yield Term(SOURCE, "alike", mean - without, reason)

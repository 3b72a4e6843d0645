"""When a sensor counts as silent, how badly, and who fell silent with it. Pure.

A sensor is silent once nothing was measured for longer than its patience: several of its usual
intervals, several of the pauses it is used to make, and never less than a floor. The score counts
patiences: silent / (silent + patience), which is 0.5, the alarm level, when patience runs out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sensors.presentation import duration, local
from sensors.rhythm import Rhythm
from sensors.series import TimeArray

DETECTOR = "silence"
# Alone it says nothing bad about the machine; one of many is told by the one that leads them.
MOST_SEVERE, MOST_SEVERE_OF_MANY = 4, 2
# Within the same minute.
TOGETHER = timedelta(minutes=1)


class SilencePolicyError(ValueError):
    """A policy that names what does not exist or holds a number out of range."""


@dataclass(frozen=True, slots=True)
class SilencePolicy:
    """Stored on every receipt.

    intervals: usual intervals without a reading after which a sensor is silent; pauses: the same in
    pauses that it made three times of late, so that one which sends on change, or in bursts, is
    waited for; floor_s: never sooner than so many seconds. min_readings: readings from which its
    own rhythm is believed; a stated interval needs none. common_sensors, common_share: so many
    sensors of a site or a machine, and this share of those that could tell, fell silent together:
    then they have one cause.
    """

    intervals: float = 5.0
    pauses: float = 3.0
    floor_s: float = 300.0
    min_readings: int = 50
    common_sensors: int = 3
    common_share: float = 0.5

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def parse(setting: dict[str, Any]) -> SilencePolicy:
    """The policy in a SILENCE_POLICY setting. Raises SilencePolicyError.

    >>> parse({"floor_s": 900}).floor_s
    900
    """
    known = SilencePolicy.__dataclass_fields__
    if not isinstance(setting, dict) or set(setting) - set(known):
        raise SilencePolicyError(f"known names are {', '.join(known)}.")
    policy = SilencePolicy(**setting)
    for name, value in policy.as_dict().items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise SilencePolicyError(f"{name} is {value!r}, not a number above 0.")
    if policy.common_share > 1 or policy.intervals < 1 or policy.pauses < 1:
        raise SilencePolicyError("common_share is at most 1, intervals and pauses at least 1.")
    return policy


@dataclass(frozen=True, slots=True)
class Expectation:
    """When the next reading is due and how long it is waited for, in seconds after the last one.

    stated: a person said how often the sensor speaks; else it was observed.
    """

    interval_s: float
    patience_s: float
    stated: bool


def expectation(
    rhythm: Rhythm | None, stated_s: float | None, policy: SilencePolicy
) -> Expectation | None:
    """What is to be expected of a sensor; None while too little is known of it.

    >>> expectation(None, 60.0, SilencePolicy())
    Expectation(interval_s=60.0, patience_s=300.0, stated=True)
    """
    if stated_s is not None and stated_s > 0:
        return Expectation(stated_s, max(policy.floor_s, policy.intervals * stated_s), stated=True)
    if rhythm is None or rhythm.readings < policy.min_readings:
        return None
    waits = (policy.intervals * rhythm.interval_s, policy.pauses * rhythm.pause_s)
    return Expectation(rhythm.interval_s, max(policy.floor_s, *waits), stated=False)


def score(silent_s: float, patience_s: float) -> float:
    """0 to 1, rising with each interval missed, 0.5 when patience runs out; 0 if a clock went back.

    >>> score(300, 300), score(2700, 300), score(-5, 300)
    (0.5, 0.9, 0.0)
    """
    silent_s = max(silent_s, 0.0)
    return silent_s / (silent_s + patience_s)


@dataclass(frozen=True, slots=True)
class Common:
    """Sensors that fell silent together: `silent` of the `of` that could tell, in one place."""

    scope: str
    name: str
    silent: int
    of: int


def companions(
    last: TimeArray, due: TimeArray, now: np.datetime64
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each sensor of a place, how many fell silent with it, and how many were heard since.

    last, due: shape (n,), its newest reading and when the next was due. A sensor stopped at some
    time in (last, due]; two of them stopped together if these spans touch, a minute allowed. One
    that is not due yet counts for neither.

    >>> last = np.array(["2026-01-01T10:00", "2026-01-01T09:57", "2026-01-01T12:00"], "M8[us]")
    >>> companions(last, last + np.timedelta64(10, "m"), np.datetime64("2026-01-01T12:05", "us"))
    (array([2, 2, 0]), array([1, 1, 0]))
    """
    slack = np.timedelta64(TOGETHER)
    overdue = due + slack < now
    stopped_after, stopped_by = np.sort(last[overdue]), np.sort(due[overdue])
    silent = np.searchsorted(stopped_after, due + slack, "right") - np.searchsorted(
        stopped_by, last - slack, "left"
    )
    heard = len(last) - np.searchsorted(np.sort(last), due + slack, "right")
    return np.where(overdue, silent, 0), heard


def is_common(silent: int, heard: int, policy: SilencePolicy) -> bool:
    return silent >= policy.common_sensors and silent >= policy.common_share * (silent + heard)


@dataclass(frozen=True, slots=True)
class Silence:
    """From the newest reading to the next one, or, while there is none, to now."""

    last: datetime
    until: datetime
    is_open: bool
    expected: Expectation

    @property
    def due(self) -> datetime:
        return self.last + timedelta(seconds=self.expected.interval_s)

    @property
    def silent_s(self) -> float:
        return (self.until - self.last).total_seconds()

    @property
    def patiences(self) -> float:
        """What the score counts: how many times its patience it was silent."""
        return self.silent_s / self.expected.patience_s

    @property
    def score(self) -> float:
        return score(self.silent_s, self.expected.patience_s)

    @property
    def is_one(self) -> bool:
        return self.silent_s > self.expected.patience_s


def parts(silence: Silence) -> dict[str, Any]:
    """The silence as data, for the explanation."""
    return {
        "last_seen": silence.last.isoformat(),
        "due": silence.due.isoformat(),
        "until": silence.until.isoformat(),
        "silent_s": silence.silent_s,
        "interval_s": silence.expected.interval_s,
        "interval_stated": silence.expected.stated,
        "patience_s": silence.expected.patience_s,
        "intervals_missed": int(silence.silent_s / silence.expected.interval_s),
    }


def sentence(name: str, silence: Silence, common: Common | None, zone: ZoneInfo) -> str:
    """One plain sentence: when it was last seen, how often it speaks, how long it was silent."""
    usual = duration(timedelta(seconds=silence.expected.interval_s))
    length = duration(timedelta(seconds=silence.silent_s))
    seen = local(silence.last, zone)
    expected = f"a reading is expected every {usual}"
    if silence.is_open:
        text = f"{name} was last seen on {seen} and has been silent for {length}: {expected}"
    else:
        text = f"{name} was silent for {length} after {seen}: {expected}"
    return f"{text}{_together(common)}."


def _together(common: Common | None) -> str:
    if common is None:
        return ""
    many = f"{common.silent} of {common.of} sensors of {common.name}"
    return f"; {many} fell silent within the same minute, so one cause is likely"

"""What the machine's other sensors say of an anomaly: whether they show it too. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalies.nature import twins
from anomalies.nature.looks import INSTRUMENT, Look, Ruling, Track, loudness
from mlops import features
from sensors.series import FloatArray, TimeArray

_SPIKE = features.FEATURES.index("spike")
_BEFORE, _AFTER = 3, 12  # intervals from the onset within which others join
_LEAP = 0.6  # of a notable spike, for another sensor at the very time
_FROZEN_ROWS, _FROZEN_TIMES = 8, 4  # equal values in a row, and how many times the longest before


@dataclass(frozen=True, slots=True)
class Other:
    """Another sensor of the machine. times, moved, leaps: of the rows that are looked at; whether
    the statistical rung would alarm on the value, and whether it leapt."""

    track: Track
    times: TimeArray
    moved: NDArray[np.bool_]
    leaps: NDArray[np.bool_]

    @classmethod
    def of(cls, track: Track) -> Other:
        X = track.features()
        leaps = np.abs(X[:, _SPIKE]) >= _LEAP * features.NOTABLE["spike"]
        return cls(track, track.times[track.first :], loudness(X) >= 1.0, leaps)

    def within(self, since: np.datetime64, until: np.datetime64) -> NDArray[np.bool_]:
        return (self.times >= since) & (self.times <= until)


def joined(look: Look, sort: str, others: Sequence[Other]) -> list[str]:
    """The others that began to move when it did. A fault that one of them has had for a while, or
    gets later, is another one: sensors break while machines fail."""
    if sort == "spike":
        span = _span(look, look.start, 1, 1 + look.end - look.start)
        return [other.track.name for other in others if _leapt(other, *span)]
    span = _span(look, _onset(look) if sort == "stuck" else look.start, _BEFORE, _AFTER)
    return [other.track.name for other in others if _began(other, *span)]


def moved_with(look: Look, others: Sequence[Other]) -> list[str]:
    """The others that moved at some time from shortly before it to its end."""
    since, until = _span(look, look.start, _AFTER, look.end - look.start)
    return [other.track.name for other in others if other.moved[other.within(since, until)].any()]


def disagreement(look: Look, others: Sequence[Other]) -> Ruling | None:
    """It left the sensors of its kind on the machine that it used to agree with, and all stay."""
    if any(other.moved.any() for other in others):
        return None
    rows = slice(max(look.start - features.SHORT_ROWS, 0), look.end + 1)
    distances = {
        other.track.name: _apart(look.track, other.track, rows)
        for other in others
        if other.track.kind == look.track.kind
    }
    known = {name: far for name, far in distances.items() if far is not None}
    if not known or min(known.values()) < twins.APART:
        return None
    reason = f"it left {listed(list(known))}, which it agreed with before"
    return Ruling(INSTRUMENT, "calibration", reason)


def listed(names: Sequence[str]) -> str:
    """
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _span(look: Look, row: int, before: int, after: int) -> tuple[np.datetime64, np.datetime64]:
    """From so many intervals before a row to so many after it."""
    at = look.track.times[row]
    return at - before * look.interval, at + after * look.interval


def _onset(look: Look) -> int:
    """First row of the run of equal values that the anomaly stands in."""
    values = look.track.values
    same = np.flatnonzero(np.diff(values[: look.end + 1]) == 0) + 1
    inside = same[same >= look.start]
    row = int(inside[0]) if len(inside) else look.start
    while row > 0 and values[row - 1] == values[row]:
        row -= 1
    return row


def _leapt(other: Other, since: np.datetime64, until: np.datetime64) -> bool:
    """Whether it leapt then and had not before: one that leaps about has a trouble of its own."""
    return bool(
        other.leaps[other.within(since, until)].any() and not other.leaps[other.times < since].any()
    )


def _began(other: Other, since: np.datetime64, until: np.datetime64) -> bool:
    fresh = other.moved & ~np.concatenate([[False], other.moved[:-1]])
    return bool(fresh[other.within(since, until)].any()) or _froze(other.track, since, until)


def _froze(track: Track, since: np.datetime64, until: np.datetime64) -> bool:
    """Whether a run of equal values, longer than any before, began in that time."""
    if not len(track.values):
        return False
    starts = np.concatenate([[0], np.flatnonzero(np.diff(track.values) != 0) + 1])
    lengths = np.diff(np.concatenate([starts, [len(track.values)]]))
    begins = track.times[starts]
    usual = lengths[begins < since].max(initial=1)
    inside = lengths[(begins >= since) & (begins <= until)]
    return bool((inside >= max(_FROZEN_ROWS, _FROZEN_TIMES * usual)).any())


def _apart(own: Track, other: Track, rows: slice) -> float | None:
    columns: tuple[TimeArray, FloatArray, TimeArray, FloatArray] = (
        *(own.times, own.values),
        *(other.times, other.values),
    )
    return twins.apart(*columns, reference=own.first, rows=rows)

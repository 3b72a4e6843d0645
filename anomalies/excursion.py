"""How a value went away and came back: the readings from the first odd one on. Pure.

Two openings of one door are found by other features, last other numbers of odd readings and come at
other hours, but what the sensor reads is alike: down at once, and back in half an hour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from sensors.series import FloatArray, TimeArray

ROWS = 6  # from the first odd reading on
LEVEL_ROWS = 6  # before it, of which the median is where it went away from
DISTINCT = 4.0  # noises: what moved less has no course of its own
# Of what differs by so much a likeness of exp(-1/2) is left: in size, and in direction, the
# distance of two courses that are scaled to length 1.
SIZE_OCTAVES, DIRECTION = 1.0, 0.3


@dataclass(frozen=True, slots=True)
class Excursion:
    """moved: from the level before, in the sensor's unit, of ROWS readings at most; fewer while
    the others have not come. noise: standard deviation of one reading."""

    moved: tuple[float, ...]
    noise: float

    @classmethod
    def of(
        cls, times: TimeArray, values: FloatArray, start: np.datetime64, noise: float
    ) -> Self | None:
        """times, values: shape (n,), oldest first, with those before `start`; None without any."""
        first = int(times.searchsorted(start))
        before, own = values[max(0, first - LEVEL_ROWS) : first], values[first : first + ROWS]
        if not len(before) or not len(own) or not np.isfinite(noise):
            return None
        moved = own - np.median(before)
        return cls(tuple(moved.tolist()), noise) if np.isfinite(moved).all() else None

    @classmethod
    def stored(cls, row: Mapping[str, Any] | None) -> Self | None:
        return cls(tuple(row["moved"]), row["noise"]) if row else None

    def as_dict(self) -> dict[str, Any]:
        """For a row; `stored` reads it again."""
        return {"moved": list(self.moved), "noise": self.noise}

    def is_distinct(self, rows: int) -> bool:
        """Whether it shows in its first so many readings."""
        largest = self.reach(rows)
        return largest > 0 and largest >= DISTINCT * self.noise

    def reach(self, rows: int = ROWS) -> float:
        """How far it went, either way, in its first so many readings: in the sensor's unit."""
        return max(map(abs, self.moved[:rows]))


def times_larger(one: Excursion, other: Excursion) -> float:
    """How many times as far `one` went as `other`, which counts as one that just shows at least; 0
    where it does not show itself.

    >>> times_larger(Excursion((9.0,), 0.1), Excursion((-3.0, -2.0), 0.1))
    3.0
    >>> times_larger(Excursion((9.0,), 0.5), Excursion((0.1,), 0.5))
    4.5
    """
    if not one.is_distinct(ROWS):
        return 0.0
    least = max(other.reach(), DISTINCT * other.noise)
    return one.reach() / least if least else 0.0


def likeness(one: Excursion, other: Excursion) -> float | None:
    """0..1, of the readings that both have; None if neither shows in them. Symmetric.

    Noise takes nothing away: it turns a small excursion more than a large one.

    >>> door = Excursion((-5.0, -3.0, -1.8, -1.1), 0.1)
    >>> likeness(door, door), round(likeness(door, Excursion((-5.0, -5.1, -4.9, -5.0), 0.1)), 2)
    (1.0, 0.21)
    >>> likeness(door, Excursion((-5.0,), 0.1)), likeness(door, Excursion((0.1, 0.2), 0.1))
    (1.0, 0.0)
    """
    rows = min(len(one.moved), len(other.moved))
    shown = one.is_distinct(rows), other.is_distinct(rows)
    if not all(shown):
        return 0.0 if any(shown) else None
    a, b = np.array(one.moved[:rows]), np.array(other.moved[:rows])
    length_a, length_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    apart = float(np.sum((a / length_a - b / length_b) ** 2))
    by_noise = rows * ((one.noise / length_a) ** 2 + (other.noise / length_b) ** 2)
    size = math.log2(length_a / length_b) / SIZE_OCTAVES
    turned = max(0.0, apart - by_noise) / DIRECTION**2
    return math.exp(-0.5 * (size**2 + turned))

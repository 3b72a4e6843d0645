"""Is it the sensor or the machine? From the readings around an anomaly and its machine's others.

The instrument is blamed only for what a machine does not do: its readings stop, repeat, end at a
bound, come from a wrong clock, leap and are back at once, or leave a twin that stays. All else is
the machine's, and so is what other sensors of the machine show with it; but no machine makes a
clock wrong, readings missing or a value impossible. Pure: arrays in, a ruling with its reason out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalies.nature import company, instruments
from anomalies.nature.looks import (
    INSTRUMENT,
    MACHINE,
    MARGIN_ROWS,
    MOST_ROWS,
    Bounds,
    Look,
    Ruling,
    Track,
)

__all__ = [
    "INSTRUMENT",
    "MACHINE",
    "MARGIN_ROWS",
    "MOST_ROWS",
    "Bounds",
    "Ruling",
    "Track",
    "decide",
]


def decide(
    own: Track,
    others: Sequence[Track],
    *,
    start: np.datetime64,
    end: np.datetime64,
    bounds: Bounds,
) -> Ruling:
    """Who is at fault between start and end, the times of the first and last odd reading.

    others: sensors of the same machine over the same time. What they have not sent yet counts as
    calm, and a spike is none before it is over: ask again when more has come.
    """
    if (wrong := instruments.impossible(own, start, end, bounds)) is not None:
        return wrong
    look = Look.between(own, start, end)
    if look is None:
        return Ruling(MACHINE, "", "")
    if (wrong := instruments.times(look)) is not None:
        return wrong
    seen = [company.Other.of(track) for track in others]
    if wrong := instruments.flat(look, bounds) or instruments.spike(look):
        joined = company.joined(look, wrong.sort, seen)
        return _together(joined) if joined else wrong
    return company.disagreement(look, seen) or _together(company.moved_with(look, seen))


def _together(names: Sequence[str]) -> Ruling:
    if not names:
        return Ruling(MACHINE, "", "")
    return Ruling(MACHINE, "together", f"{company.listed(names)} moved with it")

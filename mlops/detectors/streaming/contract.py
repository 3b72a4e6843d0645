"""What a detector of streams promises, and how its state is kept. Pure.

A fold reads the readings of one sensor in event order, one after the other, and says of each how
rare it is given those before it. Its memory is bounded. Folding a stream at once or in any pieces
gives the same bits, also when the state is saved and loaded between the pieces.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sensors.series import FloatArray, TimeArray

LARGEST = 1e150  # a difference of two larger ones could overflow
FORMAT = 2  # of `dumped`

State = dict[str, NDArray[Any]]
"""Named arrays of fixed shapes: all that a fold knows of the past."""


@dataclass(frozen=True, slots=True)
class Readings:
    """A piece of one sensor's stream, in event order, without gaps in it.

    values: float64, finite, within ±LARGEST, in the sensor's unit; seconds: of the day in UTC,
    float64. Both of shape (n,).
    """

    values: FloatArray
    seconds: FloatArray

    @classmethod
    def of(cls, times: TimeArray, values: FloatArray) -> Readings:
        """values must hold no NaN; who has gaps leaves them out.

        >>> Readings.of(np.array(["2026-01-02T00:01"], "datetime64[us]"), np.array([7.0])).seconds
        array([60.])
        """
        micros = times.astype("datetime64[us]").astype(np.int64)
        seconds = (micros // 1_000_000 % 86_400).astype(float)
        return cls(np.clip(values, -LARGEST, LARGEST).astype(float), seconds)

    def __len__(self) -> int:
        return len(self.values)


class Fold(Protocol):
    """One view of a stream."""

    @property
    def name(self) -> str: ...

    def start(self) -> State:
        """Of a stream of which nothing was read."""
        ...

    def advance(self, state: State, readings: Readings) -> FloatArray:
        """How far each reading lies from all before it, shape (n,), not negative; moves `state`.

        The unit is the fold's own: only the order of the distances of one stream has a meaning.
        """
        ...


def copied(state: State) -> State:
    return {name: array.copy() for name, array in state.items()}


def dumped(state: State) -> bytes:
    """A state as bytes; `loaded` gives it back to the bit. Nothing in it can run.

    The names, types and shapes of the arrays as JSON on a line of its own, then their elements;
    deflated at level 1: most of a state is zeros or its youngest numbers, and harder work on them
    takes five times as long for a fifth of the room.
    """
    layout = [(name, array.dtype.str, array.shape) for name, array in state.items()]
    parts = (json.dumps(layout).encode(), b"\n", *(array.tobytes() for array in state.values()))
    return zlib.compress(b"".join(parts), level=1)


def loaded(data: bytes) -> State:
    """ValueError when the bytes are no state."""
    try:
        raw = zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(f"no state of a detector: {error}") from error
    head, _, elements = raw.partition(b"\n")
    state, at = {}, 0
    for name, kind, shape in json.loads(head):
        array = np.frombuffer(elements, kind, math.prod(shape), at).reshape(shape).copy()
        state[name], at = array, at + array.nbytes
    return state


def prefixed(prefix: str, state: State) -> State:
    """The state of a part under names of its own in the state of the whole."""
    return {f"{prefix}.{name}": array for name, array in state.items()}


def part(prefix: str, state: Mapping[str, NDArray[Any]]) -> State:
    """What `prefixed` put in: the same arrays, not copies."""
    return {own: state[name] for own, name in _names(prefix, tuple(state))}


@cache
def _names(prefix: str, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(name in the part, name in the whole): looked for once a kind of state, not once a call."""
    start = f"{prefix}."
    return tuple((name[len(start) :], name) for name in names if name.startswith(start))

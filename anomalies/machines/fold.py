"""The joint fold over a machine's grid, from a state on, leaving states behind. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from anomalies.folding import Checkpoint, edges, kept
from anomalies.machines.grid import Era, Rows
from mlops.detectors.streaming.judgement import Judgement, Told
from sensors.series import FloatArray, TimeArray


@dataclass(frozen=True, slots=True)
class Judged:
    """n rows of an era: parts of shape (n, k), which `judgements` explain piece by piece."""

    era: Era
    times: TimeArray
    parts: FloatArray
    judgements: tuple[tuple[int, Judgement], ...]

    def told(self, row: int) -> Told:
        first, judgement = next(one for one in reversed(self.judgements) if one[0] <= row)
        return judgement.tell(row - first)

    def digest(self, row: int) -> str:
        first, judgement = next(one for one in reversed(self.judgements) if one[0] <= row)
        return judgement.digest(row - first)


def beginning(era: Era) -> Checkpoint:
    return Checkpoint(0, era.begin - era.step, era.fold.start())


def fold(era: Era, start: Checkpoint, rows: Rows) -> tuple[Judged, Checkpoint, list[Checkpoint]]:
    """The rows after `start`: what is to be said of them, the state at their end, and the states
    among them that are to be kept.

    Those of confirmed faults are judged, and the others as if they had not been.
    """
    stops = {row for row in kept(start.rows + len(rows)) if row > start.rows}
    at, passed, found = start, [], []
    for begin, end in pairwise(edges(start, stops, rows.faulty, len(rows))):
        at, judgement = _piece(era, at, rows[begin:end])
        found.append((begin, judgement))
        if end > begin and at.rows in stops and at.aside is None:
            passed.append(at)
    parts = np.concatenate([judgement.parts for _, judgement in found])
    return Judged(era, rows.times, parts, tuple(found)), at, passed


def _piece(era: Era, at: Checkpoint, part: Rows) -> tuple[Checkpoint, Judgement]:
    """The rows of a piece are all of a fault, or none is."""
    if not len(part):
        return at, era.fold.judge(at.state, part.times, part.values)[1]
    rows, last = at.rows + len(part), part.times[-1]
    if part.faulty is not None and part.faulty[0]:
        aside, judgement = era.fold.judge(at.aside or at.state, part.times, part.values)
        return Checkpoint(rows, last, at.state, aside), judgement
    state, judgement = era.fold.judge(at.state, part.times, part.values)
    return Checkpoint(rows, last, state), judgement


def tail(judged: Judged, since: np.datetime64) -> Judged:
    """The rows from an event time on."""
    first = int(np.searchsorted(judged.times, since))
    moved = tuple((begin - first, judgement) for begin, judgement in judged.judgements)
    return Judged(judged.era, judged.times[first:], judged.parts[first:], moved)


def joined(pieces: Sequence[Judged]) -> Judged:
    """Pieces of one era, one after the other, at least one."""
    offsets = np.cumsum([0, *(len(piece.times) for piece in pieces)])
    judgements = [
        (int(offset) + begin, judgement)
        for offset, piece in zip(offsets, pieces, strict=False)
        for begin, judgement in piece.judgements
    ]
    return Judged(
        pieces[0].era,
        np.concatenate([piece.times for piece in pieces]),
        np.concatenate([piece.parts for piece in pieces]),
        tuple(judgements),
    )


def rarity(parts: FloatArray) -> FloatArray:
    """Of the joint distance: shape (n,) from (n, k); sums run in the order of the sensors."""
    total = np.zeros(len(parts))
    for column in parts.T:
        total += column
    return total

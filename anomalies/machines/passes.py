"""A pass over machines: their rows, read for all of them at once, through the joint fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from anomalies.folding import Checkpoint
from anomalies.machines import checkpoints, fold, readings, works
from anomalies.machines.checkpoints import States
from anomalies.machines.fold import Judged
from anomalies.machines.grid import Era, Rows
from anomalies.machines.works import Work


@dataclass
class _Part:
    """An era's rows to be judged, from `since` to `until`; how far it came, what is to be said of
    its rows so far, and the states on the way there and among them."""

    era: Era
    since: np.datetime64
    until: np.datetime64
    state: Checkpoint
    begin: np.datetime64
    found: list[Judged] = field(default_factory=list)
    passed: list[Checkpoint] = field(default_factory=list)

    @property
    def end(self) -> np.datetime64:
        """Of the next piece."""
        return min(self.until, self.begin + works.MAX_ROWS * self.era.step)

    @property
    def piece_rows(self) -> int:
        return int((self.end - self.begin) / self.era.step)

    @property
    def outcome(self) -> tuple[Judged, States]:
        states = States(self.era, self.state.rows, tuple(self.passed))
        return fold.joined(self.found), states

    def go_on(self, rows: Rows) -> None:
        end = self.end
        judged, self.state, among = fold.fold(self.era, self.state, rows)
        self.passed += among
        if end > self.since:
            self.found.append(fold.tail(judged, self.since))
        self.begin = end


def folded(found: Sequence[Work]) -> list[list[tuple[Judged, States]]]:
    """Of each work its eras' rows to be judged, and the states that the way there left."""
    asked = [(work, *part) for work in found for part in work.parts()]
    starts = checkpoints.newest([(work.asset.pk, era, since) for work, era, since, _ in asked])
    parts = [
        _Part(era, since, until, start, start.time + era.step)
        for (_, era, since, until), start in zip(asked, starts, strict=True)
    ]
    while going := [part for part in parts if part.begin < part.until]:
        some = works.few(going, [part.piece_rows for part in going])
        asked_for = [(part.era, part.begin, part.end) for part in some]
        for part, rows in zip(some, readings.rows_of(asked_for), strict=True):
            part.go_on(rows)
    by_work: dict[int, list[tuple[Judged, States]]] = {work.asset.pk: [] for work in found}
    for (work, *_), part in zip(asked, parts, strict=True):
        by_work[work.asset.pk].append(part.outcome)
    return list(by_work.values())

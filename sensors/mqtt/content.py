"""What messages hold, and many of them as one batch. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sensors.formats import Batch, BoolArray, batch_of
from sensors.rows import Rejection, sensor_ref


@dataclass(slots=True)
class Content:
    """What one message holds: rows as `sensors.formats` reads them, and what is no reading.

    timeless, historical: places among `rows` of those whose time is the message's arrival, and of
    those that the sender calls history. ignored: how many metrics were left out, by reason.
    """

    rows: list[Any] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    timeless: list[int] = field(default_factory=list)
    historical: list[int] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    @property
    def weight(self) -> int:
        """What it counts for in a micro-batch; even an empty message is to be acknowledged."""
        return max(len(self.rows) + len(self.rejected), 1)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store, as in a death certificate."""
        return not self.rows and not self.rejected

    def stamp(self, arrived: str) -> None:
        """Give `arrived` (ISO 8601) to the rows that came without a time."""
        for place in self.timeless:
            self.rows[place]["time"] = arrived


def refused(code: str, detail: str, payload: str, *, sensor: str = "") -> Rejection:
    """What is no reading; its place in the batch is given by `together`."""
    return Rejection(0, "validation", code, detail, sensor_ref({"sensor": sensor}), payload)


def together(contents: Sequence[Content]) -> tuple[Batch, BoolArray]:
    """The contents as one batch, and for each of its readings whether it is history."""
    rows = [row for content in contents for row in content.rows]
    batch = batch_of(rows)
    # Behind the rows, so that no reading shares a place with what is none.
    rejected = [one for content in contents for one in content.rejected]
    placed = [replace(one, index=len(rows) + n) for n, one in enumerate(rejected)]
    batch = replace(batch, rejected=(*batch.rejected, *placed))
    is_historical = np.zeros(len(rows), dtype=bool)
    start = 0
    for content in contents:
        is_historical[[start + place for place in content.historical]] = True
        start += len(content.rows)
    return batch, is_historical[batch.index]

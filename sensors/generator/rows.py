"""Generated streams as the rows that a device posts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np

from sensors.generator.fleet import Stream


class Row(TypedDict):
    """One element of the body of POST /api/v1/readings."""

    sensor: str
    time: str
    value: float


def posted_rows(streams: Sequence[Stream], *, history: bool, held_back: bool) -> list[Row]:
    """Readings of the asked-for periods in the order they were sent; times to the millisecond."""
    return [row for _, row in sent_rows(streams, history=history, held_back=held_back)]


def sent_rows(
    streams: Sequence[Stream], *, history: bool, held_back: bool
) -> list[tuple[np.datetime64, Row]]:
    """The same, each with the time it was really sent."""
    found = [
        pair
        for stream in streams
        for pair in _rows(stream, _period(stream, history=history, held_back=held_back))
    ]
    return sorted(found, key=lambda pair: (pair[0], pair[1]["sensor"]))


def in_batches(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    """Consecutive rows, at most `size` at once."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _period(stream: Stream, *, history: bool, held_back: bool) -> slice:
    return slice(0 if history else stream.history, None if held_back else stream.history)


def _rows(stream: Stream, period: slice) -> Iterator[tuple[np.datetime64, Row]]:
    stamps = np.datetime_as_string(stream.times[period], unit="ms", timezone="UTC").tolist()
    values = stream.values[period].tolist()
    for sent, time, value in zip(stream.sent[period], stamps, values, strict=True):
        yield sent, {"sensor": stream.sensor, "time": time, "value": value}

"""The detectors on a table of readings, causally: what they would have said at the time. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from anomalies.tables import Table, streams
from mlops.detectors import limits
from mlops.detectors.streaming.alarm import Alarm
from mlops.detectors.streaming.asset import Asset
from mlops.detectors.streaming.core import Core
from sensors.kinds import kind_named
from sensors.series import FloatArray, TimeArray

PIECE_ROWS = 2_000  # folded at a time, so that a long table can show how far it is


def scores_of(
    table: Table,
    *,
    kind: str | None = None,
    warmup: int | None = None,
    on_rows: Callable[[int], object] = abs,
) -> FloatArray:
    """Score of each row, shape (n,), in [0, 1]; from ALARM_LEVEL on it is an alarm.

    A table with one column of values is judged sensor by sensor, one with several as an asset.
    kind: of all its sensors, which brings physical limits and, for a sensor by itself, says whether
    a fall can be a fault; warmup: rows of each stream that are
    only learnt from, None when not known; on_rows is told of rows judged since it was last called.
    """
    scores = np.zeros(len(table))
    for rows in streams(table.sensors, len(table)):
        values = np.column_stack([column[rows] for column in table.values.values()])
        found = _folded(tuple(table.values), table.times[rows], values, warmup, on_rows)
        if len(table.values) == 1:
            found = np.where(_is_harmless(values[:, 0], kind), 0.0, found)
        scores[rows] = np.maximum(found, _limits(values, kind))
    return scores


def _folded(
    sensors: tuple[str, ...],
    times: TimeArray,
    values: FloatArray,
    warmup: int | None,
    on_rows: Callable[[int], object],
) -> FloatArray:
    alarm = Alarm(warmup=warmup)
    is_asset = len(sensors) > 1
    detector: Core | Asset = Asset(sensors, alarm) if is_asset else Core(alarm)
    state, found = detector.start(), [np.zeros(0)]
    for begin in range(0, len(values), PIECE_ROWS):
        end = begin + PIECE_ROWS
        piece = values[begin:end] if is_asset else values[begin:end, 0]
        state, judged = detector.fold(state, times[begin:end], piece)
        found.append(judged.scores)
        on_rows(len(piece))
    return np.concatenate(found)


def _is_harmless(values: FloatArray, kind: str | None) -> NDArray[np.bool_]:
    """Where a reading lies on the good side of the mean of all before it, shape (n,): rare or not,
    it is no fault of a machine."""
    worsens = 0 if kind is None else kind_named(kind).worsens
    is_known, known = ~np.isnan(values), np.nan_to_num(values)
    before = (np.cumsum(known) - known) / np.maximum(np.cumsum(is_known) - is_known, 1)
    return np.asarray((values - before) * worsens < 0)


def _limits(values: FloatArray, kind: str | None) -> FloatArray:
    """The first rung, of the row's worst value; it needs no warm-up."""
    if kind is None:
        return np.zeros(len(values))
    known = kind_named(kind)
    flat = np.nan_to_num(values, nan=(known.physical_min + known.physical_max) / 2).ravel()
    scores, _ = limits.score(flat, known.physical_min, known.physical_max, None, None)
    return np.asarray(scores.reshape(values.shape).max(axis=1))

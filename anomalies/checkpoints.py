"""Where the core goes on from: states of its fold, kept per sensor.

A reading that comes late makes the states after it wrong, so the pass that scores it removes them
and writes new ones, in the transaction that stores what it found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from anomalies import exclusions, folding, kept_states
from anomalies.folding import Checkpoint, Folded
from anomalies.kept_states import Kept, Versioned
from anomalies.models import DetectionCheckpoint
from mlops import features
from mlops.detectors.streaming.core import Judged
from sensors.models import Reading
from sensors.series import Series, to_datetime, to_datetime64

PIECE_ROWS = 20_000
# A sensor whose checkpoint lies farther back is brought nearer first, pass by pass.
MOST_ROWS_A_PASS = 100_000


@dataclass(frozen=True, slots=True)
class Unfolded:
    """What the core says of a region's rows; None when its checkpoint was too far back, and
    `passed` are the states on the way there."""

    judged: Judged | None
    rows: int
    passed: tuple[Checkpoint, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The rows of `series` from `first` on are to be judged; what stands before them may be
    incomplete. dirty: checkpoints from this event time on are not to be trusted."""

    sensor_id: int
    series: Series
    first: int
    dirty: datetime

    @property
    def begin(self) -> datetime:
        return to_datetime(self.series.times[self.first])


def unfold(asked: Sequence[Asked]) -> list[Unfolded]:
    """What the core says of the rows of each sensor, going on from its checkpoint."""
    starts = newest([(one.sensor_id, min(one.begin, one.dirty)) for one in asked])
    blamed = exclusions.known_of([one.sensor_id for one in asked])
    return [
        _unfolded(one, start, blamed=one.sensor_id in blamed)
        for one, start in zip(asked, starts, strict=True)
    ]


def _unfolded(asked: Asked, start: Checkpoint, *, blamed: bool) -> Unfolded:
    """blamed: whether it ever measured a confirmed fault."""

    def fold(start: Checkpoint, piece: Series) -> Folded:
        return _fold(asked.sensor_id, start, piece) if blamed else folding.fold(start, piece)

    if _reaches(start, asked.series, asked.first):
        found = fold(start, folding.after(asked.series, start.time))
        judged = folding.tail(found.judged, -len(asked.series[asked.first :]))
        return Unfolded(judged, found.end.rows, found.checkpoints)
    passed: list[Checkpoint] = []
    folded = 0
    for piece in _up_to(asked.sensor_id, start, asked.series, asked.first):
        found = fold(start, piece)
        start, folded = found.end, folded + len(piece)
        passed += found.checkpoints
        # Within a fault there is no state to keep: on to its end.
        if folded >= MOST_ROWS_A_PASS and start.aside is None:
            return Unfolded(None, start.rows, (*passed, start))
    found = fold(start, asked.series[asked.first :])
    return Unfolded(found.judged, found.end.rows, (*passed, *found.checkpoints))


def judged_again(sensor_id: int, series: Series, first: int) -> Judged:
    """What the core says of the rows from `first` on, however far its checkpoint lies back."""
    state = before(sensor_id, to_datetime(series.times[first]))
    for piece in _up_to(sensor_id, state, series, first):
        state = _fold(sensor_id, state, piece).end
    return _fold(sensor_id, state, series[first:]).judged


def _fold(sensor_id: int, start: Checkpoint, piece: Series) -> Folded:
    return folding.fold(start, piece, exclusions.left_out(sensor_id, piece.times))


def before(sensor_id: int, time: datetime) -> Checkpoint:
    """The newest state of readings that all lie before `time`."""
    return newest([(sensor_id, time)])[0]


def newest(asked: Sequence[tuple[int, datetime]]) -> list[Checkpoint]:
    """For each (sensor, time) the newest state of readings that all lie before that time."""
    version = folding.version()
    found = kept_states.newest(
        DetectionCheckpoint, [(pk, version, to_datetime64(time)) for pk, time in asked]
    )
    return [point or folding.beginning() for point in found]


def _up_to(sensor_id: int, start: Checkpoint, series: Series, first: int) -> Iterator[Series]:
    """The readings between a state and the first row to judge, in pieces."""
    if _reaches(start, series, first):
        yield folding.after(series[:first], start.time)
        return
    time, begin = to_datetime(start.time), to_datetime(series.times[first])
    while True:
        piece = Reading.objects.after(sensor_id, time, PIECE_ROWS, before=begin)
        if len(piece):
            yield piece
            time = to_datetime(piece.times[-1])
        if len(piece) < PIECE_ROWS:
            return


def _reaches(start: Checkpoint, series: Series, first: int) -> bool:
    """Whether all readings after a state, up to the first row to judge, are in the series."""
    # A context that is shorter than features look back begins with the sensor's first reading.
    is_whole = first < features.CONTEXT_ROWS - 1
    return is_whole or bool(start.rows and start.time >= series.times[0])


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass over a sensor leaves. dirty: event time of the first reading that is new; None
    when none is."""

    sensor_id: int
    found: Unfolded
    dirty: datetime | None


def replace(passes: Sequence[Passed]) -> None:
    """Store the states of these passes. Call it in the transaction that stores what they found."""
    kept_states.replace(
        DetectionCheckpoint, {one.sensor_id: partial(_renewed, one) for one in passes}
    )


def _renewed(passed: Passed, stored: Sequence[Kept]) -> tuple[list[Versioned], list[int]]:
    found, dirty, version = passed.found, passed.dirty, folding.version()
    valid = {
        row.rows: row.pk
        for row in stored
        if row.version == version and (dirty is None or row.time < dirty)
    }
    wanted = folding.kept(max([found.rows, *valid]))
    if found.judged is None:
        wanted |= {found.rows}
    new = {point.rows: point for point in found.passed if point.rows in wanted - valid.keys()}
    left = {pk for rows, pk in valid.items() if rows in wanted}
    return [(version, point) for point in new.values()], [
        row.pk for row in stored if row.pk not in left
    ]

"""Where the core goes on from: states of its fold, kept per sensor.

A reading that comes late makes the states after it wrong, so the pass that scores it removes them
and writes new ones, in the transaction that stores what it found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from anomalies import folding
from anomalies.folding import Checkpoint
from anomalies.models import DetectionCheckpoint
from mlops.detectors.streaming.contract import dumped, loaded
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


def unfold(sensor_id: int, series: Series, first: int, *, dirty: datetime) -> Unfolded:
    """Judge the rows of `series` from `first` on; what stands before them may be incomplete.

    dirty: checkpoints from this event time on are not to be trusted.
    """
    begin = to_datetime(series.times[first])
    start = before(sensor_id, min(begin, dirty))
    passed: list[Checkpoint] = []
    folded = 0
    for piece in _up_to(sensor_id, start, series, first):
        found = folding.fold(start, piece)
        start, folded = found.end, folded + len(piece)
        passed += found.checkpoints
        if folded >= MOST_ROWS_A_PASS:
            return Unfolded(None, start.rows, (*passed, start))
    found = folding.fold(start, series[first:])
    return Unfolded(found.judged, found.end.rows, (*passed, *found.checkpoints))


def judged_again(sensor_id: int, series: Series, first: int) -> Judged:
    """What the core says of the rows from `first` on, however far its checkpoint lies back."""
    state = before(sensor_id, to_datetime(series.times[first]))
    for piece in _up_to(sensor_id, state, series, first):
        state = folding.fold(state, piece).end
    return folding.fold(state, series[first:]).judged


def before(sensor_id: int, time: datetime) -> Checkpoint:
    """The newest state of readings that all lie before `time`."""
    rows = DetectionCheckpoint.objects.filter(sensor=sensor_id, version=folding.version())
    newest = rows.filter(time__lt=time).order_by("-time").first()
    if newest is None:
        return folding.beginning()
    return Checkpoint(newest.rows, to_datetime64(newest.time), loaded(bytes(newest.state)))


def _up_to(sensor_id: int, start: Checkpoint, series: Series, first: int) -> Iterator[Series]:
    """The readings between a state and the first row to judge, in pieces."""
    lead, begin = series[:first], to_datetime(series.times[first])
    if len(lead) and start.rows and start.time >= lead.times[0]:
        yield folding.after(lead, start.time)
        return
    time = to_datetime(start.time)
    while True:
        piece = Reading.objects.after(sensor_id, time, PIECE_ROWS, before=begin)
        if len(piece):
            yield piece
            time = to_datetime(piece.times[-1])
        if len(piece) < PIECE_ROWS:
            return


def replace(sensor_id: int, found: Unfolded, *, dirty: datetime | None) -> None:
    """Store the states of a pass. Call it in the transaction that stores what the pass found.

    dirty: event time of the first reading that is new; None when none is.
    """
    own = DetectionCheckpoint.objects.filter(sensor=sensor_id)
    own.exclude(version=folding.version()).delete()
    if dirty is not None:
        own.filter(time__gte=dirty).delete()
    stored = set(own.values_list("rows", flat=True))
    wanted = folding.kept(max([found.rows, *stored]))
    if found.judged is None:
        wanted |= {found.rows}
    own.exclude(rows__in=wanted).delete()
    new = {point.rows: point for point in found.passed if point.rows in wanted - stored}
    DetectionCheckpoint.objects.bulk_create(_rows(sensor_id, list(new.values())))


def _rows(sensor_id: int, points: Sequence[Checkpoint]) -> list[DetectionCheckpoint]:
    return [
        DetectionCheckpoint(
            sensor_id=sensor_id,
            version=folding.version(),
            rows=point.rows,
            time=to_datetime(point.time),
            state=dumped(point.state),
        )
        for point in points
    ]

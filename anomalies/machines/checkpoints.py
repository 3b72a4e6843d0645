"""Where a machine's joint fold goes on from: states of it, kept per machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomalies import folding
from anomalies.folding import Checkpoint
from anomalies.machines.fold import beginning
from anomalies.machines.grid import Era
from anomalies.models import MachineCheckpoint
from mlops.detectors.streaming.contract import dumped, loaded
from sensors.series import to_datetime, to_datetime64


@dataclass(frozen=True, slots=True)
class States:
    """What a pass over an era came to: `rows` in all, and the states it passed."""

    era: Era
    rows: int
    passed: tuple[Checkpoint, ...]


def before(asset_id: int, era: Era, time: np.datetime64) -> Checkpoint:
    """The newest state of rows that all start before `time`."""
    own = MachineCheckpoint.objects.filter(asset=asset_id, version=era.version)
    newest = own.filter(time__lt=to_datetime(time)).order_by("-time").first()
    if newest is None:
        return beginning(era)
    return Checkpoint(newest.rows, to_datetime64(newest.time), loaded(bytes(newest.state)))


def replace(
    asset_id: int, found: Sequence[States], eras: Sequence[Era], dirty: np.datetime64
) -> None:
    """Store the states of a pass. Call it in the transaction that stores what the pass found.

    dirty: states of rows from this event time on are no longer true.
    """
    own = MachineCheckpoint.objects.filter(asset=asset_id)
    own.exclude(version__in=[era.version for era in eras]).delete()
    own.filter(time__gte=to_datetime(dirty)).delete()
    for one in found:
        _replace(asset_id, one)


def _replace(asset_id: int, found: States) -> None:
    own = MachineCheckpoint.objects.filter(asset=asset_id, version=found.era.version)
    stored = set(own.values_list("rows", flat=True))
    wanted = folding.kept(found.rows)
    own.exclude(rows__in=wanted).delete()
    MachineCheckpoint.objects.bulk_create(
        MachineCheckpoint(
            asset_id=asset_id,
            version=found.era.version,
            rows=point.rows,
            time=to_datetime(point.time),
            state=dumped(point.state),
        )
        for point in found.passed
        if point.rows in wanted - stored
    )

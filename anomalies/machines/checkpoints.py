"""Where a machine's joint fold goes on from: states of it, kept per machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from anomalies import folding, kept_states
from anomalies.folding import Checkpoint
from anomalies.kept_states import Kept, Versioned
from anomalies.machines.fold import beginning
from anomalies.machines.grid import Era
from anomalies.models import MachineCheckpoint
from sensors.series import to_datetime


@dataclass(frozen=True, slots=True)
class States:
    """What a pass over an era came to: `rows` in all, and the states it passed."""

    era: Era
    rows: int
    passed: tuple[Checkpoint, ...]


def before(asset_id: int, era: Era, time: np.datetime64) -> Checkpoint:
    """The newest state of rows that all start before `time`."""
    return newest([(asset_id, era, time)])[0]


def newest(asked: Sequence[tuple[int, Era, np.datetime64]]) -> list[Checkpoint]:
    """For each (machine, era, time) the newest state of rows that all start before that time."""
    found = kept_states.newest(MachineCheckpoint, [(pk, era.version, at) for pk, era, at in asked])
    return [point or beginning(era) for point, (_, era, _) in zip(found, asked, strict=True)]


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass over a machine leaves. eras: as they are now; dirty: states of rows from this
    event time on are no longer true."""

    asset_id: int
    found: Sequence[States]
    eras: Sequence[Era]
    dirty: np.datetime64


def replace(passes: Sequence[Passed]) -> None:
    """Store the states of these passes. Call it in the transaction that stores what they found."""
    kept_states.replace(MachineCheckpoint, {one.asset_id: partial(_renewed, one) for one in passes})


def _renewed(passed: Passed, stored: Sequence[Kept]) -> tuple[list[Versioned], list[int]]:
    dirty, versions = to_datetime(passed.dirty), {era.version for era in passed.eras}
    left = [row for row in stored if row.version in versions and row.time < dirty]
    new: list[Versioned] = []
    for one in passed.found:
        version, wanted = one.era.version, folding.kept(one.rows)
        valid = {row.rows for row in left if row.version == version}
        left = [row for row in left if row.version != version or row.rows in wanted]
        new += [(version, point) for point in one.passed if point.rows in wanted - valid]
    return new, [row.pk for row in {*stored} - {*left}]

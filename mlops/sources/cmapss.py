"""NASA C-MAPSS: `train_FD001.txt`, `test_FD001.txt`, `RUL_FD001.txt`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlops.extraction.turbofan import SENSORS, Flights
from mlops.sources.files import BadFile, first, table
from sensors.series import FloatArray

COLUMNS = 2 + 3 + SENSORS  # unit, cycle, settings, sensors


@dataclass(frozen=True, slots=True)
class Cmapss:
    """train: each unit until it fails. test: each cut off; remaining: cycles it had left then, in
    the order of its units, shape (units,)."""

    train: Flights
    test: Flights
    remaining: FloatArray


def find(directory: Path) -> Path | None:
    return first(directory, "train_FD001.txt", "train_FD001.txt.gz")


def read(train: Path) -> Cmapss:
    """The two files beside it are read as well. BadFile."""
    paths = [train.with_name(train.name.replace("train", word)) for word in ("test", "RUL")]
    test = _flights(paths[0])
    remaining = table(paths[1], 1).ravel()
    units = len(np.unique(test.unit))
    if len(remaining) != units:
        raise BadFile(f"{paths[1]}: {len(remaining)} rows for the {units} units of {paths[0].name}")
    if (remaining < 0).any():
        raise BadFile(f"{paths[1]}: no unit has less than 0 cycles left")
    return Cmapss(_flights(train), test, remaining)


def _flights(path: Path) -> Flights:
    rows = table(path, COLUMNS)
    unit, cycle = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64)
    begins = np.r_[True, np.diff(unit) != 0]
    if (cycle[begins] != 1).any() or (np.diff(cycle)[~begins[1:]] != 1).any():
        raise BadFile(f"{path}: the cycles of a unit are not 1, 2, 3 and so on")
    return Flights(unit, cycle, rows[:, 5:])

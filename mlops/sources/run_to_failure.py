"""Bearings run until they fail: XJTU-SY and FEMTO (PRONOSTIA). Pure.

- XJTU-SY: a folder a bearing (`Bearing1_1`), in it `1.csv`, `2.csv`, ... with a header and two
  columns (horizontal, vertical), 32,768 rows at 25.6 kHz, one a minute; the shaft's speed by the
  condition's folder (`35Hz12kN`).
- FEMTO: a folder a bearing (`Bearing1_1`), in it `acc_00001.csv`, ... of six columns (hour, minute,
  second, microsecond, horizontal, vertical), 2,560 rows at 25.6 kHz, one each ten seconds; the
  speed by the condition, the first number of the bearing's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlops.sources.files import BadFile, table, text, within
from sensors.series import FloatArray

RATE_HZ = 25_600.0
XJTU_ROWS, FEMTO_ROWS = 32_768, 2_560
_FEMTO_SHAFT_HZ = {"1": 30.0, "2": 27.5, "3": 25.0}
_BEARING = re.compile(r"^Bearing(\d)_\d+$")
_CONDITION = re.compile(r"^([\d.]+)Hz[\d.]+kN$")


@dataclass(frozen=True, slots=True)
class Bearing:
    """paths: its snapshots, first to last; read: a path -> horizontal vibration in g."""

    name: str
    shaft_hz: float
    paths: tuple[Path, ...]
    read: Callable[[Path], FloatArray]


def find(directory: Path) -> list[Bearing]:
    """All bearings of either layout, by name; empty where there are none. BadFile."""
    folders = sorted(p for p in directory.rglob("Bearing*_*") if p.is_dir())
    return [found for folder in folders if (found := _bearing(folder)) is not None]


def _bearing(folder: Path) -> Bearing | None:
    said = _BEARING.match(folder.name)
    if said is None:
        return None
    femto = tuple(sorted(folder.glob("acc_*.csv")))
    if femto:
        return Bearing(folder.name, _FEMTO_SHAFT_HZ.get(said[1], 30.0), femto, read_femto)
    numbered = [path for path in folder.glob("*.csv") if path.stem.isdecimal()]
    if not numbered:
        return None
    ordered = sorted(numbered, key=lambda path: int(path.stem))
    if [int(path.stem) for path in ordered] != list(range(1, len(ordered) + 1)):
        raise BadFile(f"{folder}: snapshots are not 1.csv, 2.csv and so on without a gap")
    condition = _CONDITION.match(folder.parent.name)
    if condition is None:
        raise BadFile(f"{folder.parent}: its name does not say the speed, as 35Hz12kN does")
    return Bearing(folder.name, float(condition[1]), tuple(ordered), read_xjtu)


def read_xjtu(path: Path) -> FloatArray:
    """Shape (XJTU_ROWS,). BadFile."""
    return _checked(path, table(path, 2, delimiter=",", skip=1)[:, 0], XJTU_ROWS)


def read_femto(path: Path) -> FloatArray:
    """Shape (FEMTO_ROWS,). Some files are separated by semicolons. BadFile."""
    head = text(path).split("\n", 1)[0]
    delimiter = ";" if ";" in head else ","
    return _checked(path, table(path, 6, delimiter=delimiter)[:, 4], FEMTO_ROWS)


def _checked(path: Path, values: FloatArray, rows: int) -> FloatArray:
    if len(values) != rows:
        raise BadFile(f"{path}: {len(values)} rows instead of {rows}")
    within(path, "vibration", values, -100.0, 100.0)
    return np.asarray(values)

"""AI4I 2020: `ai4i2020.csv`, one row a product, as UCI 601 has it. Pure."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlops.extraction.machining import CAUSES, IDS, LABEL, VARIANTS, Processes
from mlops.sources.files import BadFile, first, text, within

MEASURED = {
    "Air temperature [K]": (250.0, 350.0),
    "Process temperature [K]": (250.0, 350.0),
    "Rotational speed [rpm]": (1.0, 10_000.0),
    "Torque [Nm]": (0.0, 500.0),
    "Tool wear [min]": (0.0, 1000.0),
}
HEADER = (*IDS, "Type", *MEASURED, LABEL, *CAUSES)


@dataclass(frozen=True, slots=True)
class Ai4i:
    """failed: the label, shape (n,)."""

    rows: Processes
    failed: NDArray[np.bool_]


def find(directory: Path) -> Path | None:
    return first(directory, "ai4i2020.csv", "ai4i2020.csv.gz")


def read(path: Path) -> Ai4i:
    """BadFile for other columns, values out of range, or labels other than 0 and 1."""
    reader = csv.reader(io.StringIO(text(path)))
    header = tuple(next(reader, ()))
    if header != HEADER:
        raise BadFile(f"{path}, line 1: columns {list(header)} instead of {list(HEADER)}")
    rows = [_row(path, reader.line_num, cells) for cells in reader if cells]
    if not rows:
        raise BadFile(f"{path}: has no rows")
    columns = np.array(rows, dtype=float)
    for place, (name, (low, high)) in enumerate(MEASURED.items(), start=1):
        within(path, name, columns[:, place], low, high)
    variant, air, process, speed, torque, wear, label = columns.T
    if not np.isin(label, (0, 1)).all():
        raise BadFile(f"{path}: {LABEL} is 0 or 1")
    measured = Processes(variant.astype(np.int64), air, process, speed, torque, wear)
    return Ai4i(measured, label == 1)


def _row(path: Path, line: int, cells: list[str]) -> list[float]:
    """Variant, the measured columns and the label; ids and causes are left where they are."""
    if len(cells) != len(HEADER):
        raise BadFile(f"{path}, line {line}: {len(cells)} columns instead of {len(HEADER)}")
    if cells[2] not in VARIANTS:
        raise BadFile(f"{path}, line {line}: Type {cells[2]!r} is none of {', '.join(VARIANTS)}")
    try:
        return [VARIANTS.index(cells[2]), *(float(cell) for cell in cells[3:9])]
    except ValueError as error:
        raise BadFile(f"{path}, line {line}: {error}") from error

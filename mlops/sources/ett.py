"""ETTh1: hourly load and oil temperature of an electricity transformer, 2016 to 2018. Pure.

Source: Zhou et al. (2021), "Informer", github.com/zhouhaoyi/ETDataset, CC BY-ND 4.0.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mlops.sources.files import BadFile
from sensors.series import FloatArray, TimeArray

COLUMNS = ("date", "HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
FEWEST_ROWS = 20 * 30 * 24
HOUR = np.timedelta64(1, "h")


def find(folder: Path) -> Path | None:
    """ETTh1.csv or ETTh1.csv.gz below a folder."""
    return next(iter(sorted(folder.rglob("ETTh1.csv*"))), None)


def oil_temperature(path: Path) -> tuple[TimeArray, FloatArray]:
    """times (n,), one an hour; values (n,) in °C. BadFile."""
    rows = list(_rows(path))
    if len(rows) < FEWEST_ROWS:
        raise BadFile(f"{path}: {len(rows)} rows, 20 months have {FEWEST_ROWS}")
    times = np.array([time for time, _ in rows], dtype="datetime64[us]")
    values = np.array([value for _, value in rows])
    if (np.diff(times) != HOUR).any():
        at = int((np.diff(times) != HOUR).argmax())
        raise BadFile(f"{path}, line {at + 3}: not an hour after the line before")
    if not np.isfinite(values).all() or values.min() < -30 or values.max() > 120:
        raise BadFile(f"{path}: OT is no oil temperature in °C throughout")
    return times, values


def _rows(path: Path) -> Iterator[tuple[str, float]]:
    reader = gzip.open if path.suffix == ".gz" else open
    with reader(path, "rt", newline="") as file:
        lines = csv.reader(file)
        if tuple(next(lines, ())) != COLUMNS:
            raise BadFile(f"{path}, line 1: its columns are not {', '.join(COLUMNS)}")
        for number, line in enumerate(lines, start=2):
            try:
                yield line[0], float(line[-1])
            except (ValueError, IndexError) as error:
                raise BadFile(f"{path}, line {number}: {error}") from error

"""NASA/IMS run-to-failure test 2, four bearings, 20 kHz. Pure.

As published: a folder of ASCII snapshots named `2004.02.12.10.32.39`, each 20,480 rows of four
columns. Or the features of each snapshot as one table, `test2_features.csv`, and raw snapshots as
`test2_raw_every16th.npz` (in milli g).
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlops.extraction.vibration import in_time
from mlops.sources.files import BadFile, first, table, text, within
from sensors.series import FloatArray, TimeArray

BEARINGS, SAMPLES, RATE_HZ, SHAFT_HZ = 4, 20_480, 20_000.0, 2000 / 60
PATTERN = "2004.0[2-9].??.??.??.??"
_TABLE = ("rms", "p2p", "kurt", "skew", "crest", "shape", "absmean")
_LOGARITHMS = (0, 1, 6)


@dataclass(frozen=True, slots=True)
class Lives:
    """times: shape (n,); in_time: bearing -> (n, 7), as `vibration.in_time` has them."""

    times: TimeArray
    in_time: tuple[FloatArray, ...]


def find(directory: Path) -> Path | None:
    """The table of features, else the folder of snapshots."""
    found = first(directory, "test2_features.csv", "test2_features.csv.gz")
    if found is None and (snapshot := first(directory, PATTERN)) is not None:
        return snapshot.parent
    return found


def read(path: Path) -> Lives:
    """BadFile for snapshots of another shape, out of range (±10 g), or in another order."""
    return _from_snapshots(path) if path.is_dir() else _from_table(path)


def snapshots(folder: Path) -> Iterator[tuple[np.datetime64, FloatArray]]:
    """Time and vibration in g, shape (SAMPLES, BEARINGS), of each, in order. BadFile."""
    paths = sorted(folder.glob(PATTERN + "*"))
    if not paths:
        raise BadFile(f"{folder}: no snapshots named like 2004.02.12.10.32.39")
    for path in paths:
        found = table(path, BEARINGS)
        if len(found) != SAMPLES:
            raise BadFile(f"{path}: {len(found)} rows instead of {SAMPLES}")
        within(path, "vibration", found, -10.0, 10.0)
        yield _time(path, path.name.removesuffix(".gz")), found


def raw(path: Path) -> tuple[TimeArray, FloatArray]:
    """Every sixteenth snapshot: times (n,), and vibration in g (n, SAMPLES, BEARINGS). BadFile."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            milli_g, names = archive["x_milli_g"], archive["name"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BadFile(f"{path}: cannot be read: {error}") from error
    if milli_g.shape != (len(names), SAMPLES, BEARINGS):
        raise BadFile(f"{path}: shape {milli_g.shape}")
    return np.array([_time(path, str(name)) for name in names]), milli_g / 1000.0


def _from_snapshots(folder: Path) -> Lives:
    read_all = [(time, in_time(rows.T)) for time, rows in snapshots(folder)]
    stacked = np.stack([rows for _, rows in read_all], axis=1)
    return Lives(np.array([time for time, _ in read_all]), tuple(stacked))


def _from_table(path: Path) -> Lives:
    rows = list(csv.DictReader(io.StringIO(text(path))))
    if not rows or not {*_TABLE, "time", "bearing"} <= {*rows[0]}:
        raise BadFile(f"{path}: needs the columns time, bearing, {', '.join(_TABLE)}")
    parts, times = [], []
    for bearing in range(1, BEARINGS + 1):
        own = [row for row in rows if row["bearing"] == str(bearing)]
        times.append(np.array([_time(path, row["time"]) for row in own]))
        parts.append(_columns(path, own))
    same = all(np.array_equal(times[0], each) for each in times)
    if not same or not len(times[0]) or (np.diff(times[0]) <= np.timedelta64(0)).any():
        raise BadFile(f"{path}: the bearings do not have the same snapshots in order")
    return Lives(times[0], tuple(parts))


def _columns(path: Path, rows: list[dict[str, str]]) -> FloatArray:
    try:
        found = np.array([[float(row[name]) for name in _TABLE] for row in rows]).reshape(-1, 7)
    except ValueError as error:
        raise BadFile(f"{path}: {error}") from error
    sizes = found[:, _LOGARITHMS]
    if not (sizes > 0).all():
        raise BadFile(f"{path}: rms, p2p and absmean are above 0")
    found[:, _LOGARITHMS] = np.log(sizes)
    return found


def _time(path: Path, name: str) -> np.datetime64:
    parts = name.split(".")
    try:
        return np.datetime64("{}-{}-{}T{}:{}:{}".format(*parts), "us")
    except (ValueError, IndexError) as error:
        raise BadFile(f"{path}: {name!r} is no time like 2004.02.12.10.32.39") from error

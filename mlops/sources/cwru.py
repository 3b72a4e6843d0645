"""Case Western Reserve University's bearings: drive end, 12 kHz. Pure.

As published: MATLAB files with the vibration in `X097_DE_time`; what each is says its number,
which the folder's or file's name does not, so a file is expected under a name like
`1797_IR_7_DE12.mat` (speed in rpm, part, size in mil). Or all of them in one `cwru_de12.npz`, as
int16 with a `__scale` each.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from mlops.sources.files import BadFile, first
from sensors.series import FloatArray

RATE_HZ = 12_000.0
NORMAL = "normal"
PARTS = {"B": "ball", "IR": "inner", "OR": "outer"}
SPEEDS_RPM = (1730, 1750, 1772, 1797)
_NAME = re.compile(r"^(\d+)_(?:(B|IR|OR)(?:@\d+)?_(\d+)_DE12|Normal)$")
_LEAST_SAMPLES = 12_000


@dataclass(frozen=True, slots=True)
class Record:
    """vibration: shape (samples,), in g. part: what is damaged, or NORMAL; size_mil 0 then."""

    name: str
    rpm: int
    part: str
    size_mil: int
    vibration: FloatArray


def find(directory: Path) -> Path | None:
    """The archive, else the folder of MATLAB files."""
    found = first(directory, "cwru_de12.npz")
    if found is None and (one := first(directory, "*_DE12.mat")) is not None:
        return one.parent
    return found


def read(path: Path) -> list[Record]:
    """By name. BadFile for names, variables, lengths or values that do not fit."""
    found = _from_folder(path) if path.is_dir() else _from_archive(path)
    return sorted(found, key=lambda record: record.name)


def _from_archive(path: Path) -> Iterator[Record]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                if not name.endswith("__scale"):
                    values = archive[name] * float(archive[f"{name}__scale"])
                    yield _record(path, name, values)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{path}: cannot be read: {error}") from error


def _from_folder(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.glob("*.mat")):
        try:
            content = scipy.io.loadmat(path)
        except (OSError, ValueError, NotImplementedError, MatReadError) as error:
            raise BadFile(f"{path}: is no MATLAB file: {error}") from error
        names = [name for name in content if name.endswith("_DE_time")]
        if len(names) != 1:
            raise BadFile(f"{path}: {len(names)} variables end in _DE_time instead of one")
        yield _record(path, path.stem, np.asarray(content[names[0]], dtype=float).ravel())


def _record(path: Path, name: str, values: FloatArray) -> Record:
    said = _NAME.match(name)
    if said is None or int(said[1]) not in SPEEDS_RPM:
        raise BadFile(f"{path}: {name!r} does not say speed, part and size (1797_IR_7_DE12)")
    if len(values) < _LEAST_SAMPLES:
        raise BadFile(f"{path}: {name} has {len(values)} samples, {_LEAST_SAMPLES} are needed")
    if not np.isfinite(values).all() or np.abs(values).max() > 100:
        raise BadFile(f"{path}: {name} is not finite, or beyond 100 g")
    part = PARTS[said[2]] if said[2] else NORMAL
    return Record(name, int(said[1]), part, int(said[3] or 0), values)

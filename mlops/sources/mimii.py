"""MIMII: sounds of machines that run well and badly. Pure.

As published: `id_00/normal/00000000.wav` and `id_00/abnormal/...`, 16 kHz, several microphones, of
which the first is read. Or the features of each clip as one table, `*_features.csv`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io.wavfile
from numpy.typing import NDArray

from mlops.extraction.sound import CLIP, RATE_HZ, of_clip
from mlops.sources.files import BadFile, first, text
from sensors.series import FloatArray

LABELS = ("normal", "abnormal")
_ID = re.compile(r"id_?(\d+)")


@dataclass(frozen=True, slots=True)
class Clips:
    """In the order they were recorded, first those without a fault. X: shape (n, 34)."""

    X: FloatArray
    is_abnormal: NDArray[np.bool_]
    machine: NDArray[np.str_]


def find(directory: Path) -> Path | None:
    """The table of features, else the folder that holds the machines' folders."""
    found = first(directory, "fan_*_features.csv", "fan_*_features.csv.gz")
    if found is None and (one := first(directory, "id_*/normal/*.wav")) is not None:
        return one.parents[2]
    return found


def read(path: Path) -> Clips:
    """BadFile for other columns, labels, rates, or empty clips."""
    rows = list(_from_folder(path) if path.is_dir() else _from_table(path))
    rows.sort(key=lambda row: LABELS.index(row[0]))  # stable: recorded order within a label
    X = np.array([row[2] for row in rows])
    if not np.isfinite(X).all():
        raise BadFile(f"{path}: a feature is not finite")
    is_abnormal = np.array([row[0] == "abnormal" for row in rows])
    if is_abnormal.all() or not is_abnormal.any():
        raise BadFile(f"{path}: needs clips with and without a fault")
    return Clips(X, is_abnormal, np.array([row[1] for row in rows]))


def _from_table(path: Path) -> Iterator[tuple[str, str, FloatArray]]:
    machine = _machine(path)
    for number, row in enumerate(csv.DictReader(io.StringIO(text(path))), start=2):
        if row.get("label") not in LABELS:
            raise BadFile(f"{path}, line {number}: label {row.get('label')!r}")
        try:
            values = np.array([float(row[name]) for name in CLIP.columns])
        except (KeyError, TypeError, ValueError) as error:
            raise BadFile(f"{path}, line {number}: {error!r}") from error
        yield str(row["label"]), machine, values


def _machine(path: Path) -> str:
    """A table holds one machine's clips, which its name says: fan_6dB_id00_features.csv."""
    said = _ID.search(path.name)
    return f"id_{said[1]}" if said else path.name


def _from_folder(folder: Path) -> Iterator[tuple[str, str, FloatArray]]:
    for machine in sorted(folder.glob("id_*")):
        for label in LABELS:
            for path in sorted((machine / label).glob("*.wav")):
                yield label, machine.name, of_clip(read_wav(path))


def read_wav(path: Path) -> FloatArray:
    """The first channel, in -1..1. BadFile."""
    try:
        rate, samples = scipy.io.wavfile.read(path)
    except (OSError, ValueError, EOFError) as error:
        raise BadFile(f"{path}: is no wav file: {error}") from error
    if rate != RATE_HZ or samples.dtype != np.int16:
        raise BadFile(f"{path}: {samples.dtype} at {rate} Hz instead of int16 at {RATE_HZ}")
    mono = samples[:, 0] if samples.ndim == 2 else samples
    if len(mono) < RATE_HZ // 2:
        raise BadFile(f"{path}: shorter than half a second")
    return np.asarray(mono / 32768.0, dtype=float)

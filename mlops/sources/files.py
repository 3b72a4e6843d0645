"""Finding and opening the files of a data set. Pure."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from sensors.series import FloatArray


class BadFile(ValueError):
    """A file is not what its name says; the message names it, and the line if it has any."""


def first(directory: Path, *patterns: str) -> Path | None:
    """The first file or folder below a directory that fits one of the patterns, by name."""
    for pattern in patterns:
        found = sorted(directory.rglob(pattern))
        if found:
            return found[0]
    return None


def text(path: Path) -> str:
    """A text file, also when it is compressed. BadFile."""
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadFile(f"{path}: cannot be read: {error}") from error


def table(path: Path, columns: int, *, delimiter: str | None = None, skip: int = 0) -> FloatArray:
    """Numbers in rows of so many columns, shape (n, columns), all finite. BadFile."""
    rows = []
    for number, line in enumerate(text(path).splitlines()[skip:], start=skip + 1):
        if not line.strip():
            continue
        try:
            row = [float(cell) for cell in line.split(delimiter)]
        except ValueError as error:
            raise BadFile(f"{path}, line {number}: {error}") from error
        if len(row) != columns:
            raise BadFile(f"{path}, line {number}: {len(row)} columns instead of {columns}")
        rows.append(row)
    found = np.array(rows, dtype=float).reshape(-1, columns)
    if not len(found):
        raise BadFile(f"{path}: has no rows")
    if not np.isfinite(found).all():
        raise BadFile(f"{path}: a value is not finite")
    return found


def within(path: Path, what: str, values: FloatArray, low: float, high: float) -> None:
    """BadFile for a value out of the range that is possible."""
    bad = np.flatnonzero(~((values >= low) & (values <= high)).reshape(len(values), -1).all(axis=1))
    if len(bad):
        raise BadFile(f"{path}, row {bad[0] + 1}: {what} out of {low:g} to {high:g}")


def fingerprint(*columns: Any) -> str:
    """SHA-256 over arrays, in hexadecimal: what tells two data sets apart."""
    total = sha256()
    for column in columns:
        array = np.ascontiguousarray(column)
        total.update(f"{array.shape} {array.dtype.kind}".encode() + array.tobytes())
    return total.hexdigest()

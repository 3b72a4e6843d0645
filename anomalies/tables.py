"""Files of readings as tables, and the same rows with scores beside them. Pure, but for the files.

A table is `time,value`, or `sensor,time,value`, or `time` with several numeric columns, which are
the sensors of one asset; `,` `;` or a tab between them. Columns that hold known answers are carried
along and never read.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from anomalies import columnar
from anomalies.columnar import TableError
from sensors import iso8601
from sensors.series import FloatArray, TimeArray

TIME_NAMES = ("time", "timestamp", "datetime", "date", "ts", "")  # "": an index that was written
SENSOR, VALUE = "sensor", "value"
LABELS = ("anomaly", "label", "is_anomaly", "anomaly_label", "fault", "is_fault")
ANSWERS = frozenset({*LABELS, "changepoint", "score"})
CSV = (".csv", ".csv.gz")
SUFFIXES = (*CSV, *columnar.SUFFIXES)
ADDED = ("score", "anomaly")
MISSING = frozenset({"", "nan", "na", "n/a", "null", "none"})
LARGEST_READING = 1e100  # as the store has it: what is larger is no reading
DOUBTFUL_SHARE = 0.01  # of the times; files with more are not what they seem to be


@dataclass(frozen=True, slots=True)
class Table:
    """header and cells: the text as it stands. streams: the rows (in order) and the columns of each
    stream of readings; doubts: sentences about what was odd and let pass."""

    delimiter: str
    header: tuple[str, ...]
    cells: list[list[str]]
    times: TimeArray
    values: dict[str, FloatArray]
    sensors: tuple[str, ...]
    doubts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.cells)


def read(path: Path, *, answers: frozenset[str] = ANSWERS) -> Table:
    """TableError when it cannot be read as one. answers: names, in small letters, of columns that
    are carried along and never read."""
    return _table(*grid(path), answers)


def grid(path: Path) -> tuple[str, tuple[str, ...], list[list[str]]]:
    """Mark between cells, header and cells, as text; TableError when they are no table."""
    name = path.name.lower()
    if name.endswith(columnar.SUFFIXES):
        return (",", *columnar.grid(path))
    try:
        with _opened(path, "rt") as file:
            text = file.read()
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise TableError(f"not a text file, or damaged: {error}") from error
    lines = text.lstrip("\ufeff").splitlines()
    if not lines:
        raise TableError("the file is empty; a header such as time,value is expected")
    delimiter = max(";\t,", key=lambda mark: (lines[0].count(mark), mark == ","))
    header, *cells = csv.reader(lines, delimiter=delimiter)
    cells = [row for row in cells if row]
    for place, row in enumerate(cells, start=2):
        if len(row) != len(header):
            raise TableError(f"row {place} has {len(row)} cells where the header has {len(header)}")
    return delimiter, tuple(name.strip() for name in header), cells


def each_sensor(table: Table) -> Iterator[tuple[str, Table]]:
    """The tables of its sensors alone, by name; one that names none is a stream without a name."""
    if not table.sensors:
        yield "", table
        return
    for rows in streams(table.sensors, len(table)):
        yield (
            table.sensors[rows[0]],
            replace(
                table,
                cells=[table.cells[row] for row in rows],
                times=table.times[rows],
                values={name: column[rows] for name, column in table.values.items()},
                sensors=(),
            ),
        )


def _table(
    delimiter: str, header: tuple[str, ...], cells: list[list[str]], answers: frozenset[str]
) -> Table:
    lower = [name.lower() for name in header]
    time_at = _time_column(header, lower)
    columns = list(map(list, zip(*cells, strict=True))) if cells else [[] for _ in header]
    times = parsed_times(columns[time_at], header[time_at])
    has_value = VALUE in lower
    if SENSOR in lower and not has_value:
        raise TableError(f"there is a column sensor and none named value in {_listed(header)}")
    sensors = tuple(columns[lower.index(SENSOR)]) if SENSOR in lower else ()
    ignored = {*answers, header[time_at].lower()}
    wanted = [lower.index(VALUE)] if has_value else _numeric_columns(lower, columns, ignored)
    if not wanted:
        raise TableError(f"no column of numbers beside the time in {_listed(header)}")
    values = {header[at]: _numbers(columns[at], header[at]) for at in wanted}
    doubts = _doubts(times, sensors, values)
    return Table(delimiter, header, cells, times, values, sensors, tuple(doubts))


def _time_column(header: Sequence[str], lower: list[str]) -> int:
    for name in TIME_NAMES:
        if name in lower:
            return lower.index(name)
    raise TableError(
        f"no column named time in {_listed(header)}; expected time,value or sensor,time,value or "
        "time and several columns of numbers"
    )


def _listed(header: Sequence[str]) -> str:
    return "the header " + ", ".join(header)


def _numeric_columns(lower: list[str], columns: list[list[str]], ignored: set[str]) -> list[int]:
    """Those that are sensors: not the time, no answers, and at least one cell is a number."""
    others = [at for at, name in enumerate(lower) if name not in ignored]
    return [at for at in others if not columns[at] or any(map(_is_number, columns[at]))]


def _is_number(cell: str) -> bool:
    try:
        return cell.strip().lower() not in MISSING and float(cell) == float(cell)
    except ValueError:
        return False


def _numbers(cells: list[str], name: str) -> FloatArray:
    """A missing cell is NaN, and so is a number too large to be a reading."""
    try:
        values = np.array(cells, dtype=float)
    except ValueError:
        values = np.array([_number(*cell, name) for cell in enumerate(cells, start=2)], dtype=float)
    return np.where(np.abs(values) <= LARGEST_READING, values, np.nan)


def _number(place: int, cell: str, name: str) -> float:
    if cell.strip().lower() in MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise TableError(f"row {place}: {name} is {cell!r} and no number") from None


def parsed_times(cells: list[str], name: str) -> TimeArray:
    """ISO 8601, a time without a zone being UTC; or numbers, which are seconds since 1970."""
    whole = [_with_zone(cell.strip()) for cell in cells]
    times = iso8601.parse_column(whole)
    if times is not None:
        return times.astype("datetime64[us]")
    return np.array(
        [_time(place, cell, name) for place, cell in enumerate(cells, start=2)],
        dtype="datetime64[us]",
    )


def _with_zone(text: str) -> str:
    """2026-01-02 03:04:05 as 2026-01-02T03:04:05Z."""
    day, _, clock = text[:10], text[10:11], text[11:]
    if not clock:
        return f"{day}T00:00:00Z"
    has_zone = clock[-1] in "zZ" or "+" in clock or "-" in clock
    return f"{day}T{clock}" if has_zone else f"{day}T{clock}Z"


def _time(place: int, cell: str, name: str) -> np.datetime64:
    text = cell.strip()
    try:
        if _is_number(text):
            return np.datetime64(round(float(text) * 1e6), "us")
        return iso8601.parse(_with_zone(text))
    except (ValueError, OverflowError):
        raise TableError(
            f"row {place}: {name} is {cell!r}; expected ISO 8601 from 1900 on, such as "
            f"{iso8601.EXAMPLE}, or seconds since 1970"
        ) from None


def _doubts(
    times: TimeArray, sensors: tuple[str, ...], values: dict[str, FloatArray]
) -> Iterator[str]:
    """What is let pass. TableError when too many times do not go forward."""
    stuck = [row for rows in streams(sensors, len(times)) for row in _not_forward(times, rows)]
    if len(stuck) > DOUBTFUL_SHARE * len(times):
        raise TableError(
            f"row {min(stuck) + 2}: its time is not after the time before it, and so with "
            f"{len(stuck)} of {len(times)} rows; sort the rows by time and keep each time once"
        )
    if stuck:
        yield f"{len(stuck)} rows are not after the row before them; judged in the order given"
    missing = sum(int(np.isnan(column).sum()) for column in values.values())
    if missing:
        yield f"{missing} values are missing or no reading; they are gaps, not zeros, and score 0"


def streams(sensors: tuple[str, ...], rows: int) -> list[np.ndarray]:
    """The rows of each sensor, in order; of a table without sensors, all of them.

    >>> streams(("b", "a", "b"), 3)
    [array([1]), array([0, 2])]
    """
    if not sensors:
        return [np.arange(rows)]
    _, which = np.unique(np.array(sensors), return_inverse=True)
    return np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])


def _not_forward(times: TimeArray, rows: np.ndarray) -> list[int]:
    steps = np.diff(times[rows].astype(np.int64))
    return [int(row) for row in rows[1:][steps <= 0]]


def write(path: Path, table: Table, scores: FloatArray, alarms: np.ndarray) -> None:
    """The table's rows in order with score and anomaly added; whole or not at all.

    A column of the table that has one of these names is kept as `given_…`.
    """
    header = [f"given_{name}" if name.lower() in ADDED else name for name in table.header]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _opened(unfinished, "wt", is_gzip=path.suffix == ".gz") as file:
            writer = csv.writer(file, delimiter=table.delimiter, lineterminator="\n")
            writer.writerow([*header, *ADDED])
            for row, score, alarm in zip(table.cells, scores, alarms, strict=True):
                writer.writerow([*row, repr(float(score)), int(alarm)])
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _opened(path: Path, mode: str, *, is_gzip: bool | None = None) -> IO[str]:
    """As text; zipped if its name says so, where that is not told."""
    zipped = path.suffix == ".gz" if is_gzip is None else is_gzip
    opener: Callable[..., IO[str]] = gzip.open if zipped else open
    return opener(path, mode, encoding="utf-8", newline="")

"""What is known to have been wrong: by a column of labels or a file of faults. Pure, but for files.

A file of faults is CSV with `start`, `end` (or `start` alone: a moment), and where there are
several streams the name of the stream; or JSON as NAB has it, from a file's name to its intervals.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anomalies import tables
from anomalies.columnar import TableError
from anomalies.tables import MISSING
from mlops.metrics import Rows
from sensors.series import TimeArray

STREAM_NAMES = ("sensor", "asset", "machine", "file", "series", "name")
SORT_NAMES = ("sort", "fault", "type", "kind", "label")
_HEALTHY = MISSING | {"false", "no", "normal", "healthy", "ok"}
_FAULTY = frozenset({"true", "yes", "abnormal", "anomaly", "fault"})


@dataclass(frozen=True, slots=True)
class Interval:
    """A fault, from when to when, both ends included.

    sort: what it is called, or ""; stream: whose, or "" where there is only one; where: the place
    in its file, for messages.
    """

    start: np.datetime64
    end: np.datetime64
    sort: str = ""
    stream: str = ""
    where: str = ""


def sorts_of(cells: Sequence[str], name: str) -> list[str | None]:
    """Of each label: None where all is well, "" for a fault, or what the fault is called.

    >>> sorts_of(["0", "1.0", "", "true", "bearing"], "label")
    [None, '', None, '', 'bearing']
    """
    known = {cell: _sort(cell.strip()) for cell in set(cells)}
    if wrong := sorted(cell for cell, sort in known.items() if sort is _NEITHER):
        raise TableError(
            f"{name} is {wrong[0]!r}; expected 0 or 1, true or false, or a fault's name"
        )
    return [known[cell] for cell in cells]


_NEITHER = "\0"


def _sort(cell: str) -> str | None:
    lower = cell.lower()
    if lower in _HEALTHY:
        return None
    if lower in _FAULTY:
        return ""
    try:
        number = float(cell)
    except ValueError:
        return cell
    return _NEITHER if number not in {0.0, 1.0} else "" if number else None


def of_column(times: TimeArray, cells: Sequence[str], name: str) -> Iterator[Interval]:
    """Consecutive rows with the same label are one fault."""
    sorts = sorts_of(cells, name)
    begin = 0
    for row in range(1, len(sorts) + 1):
        if row == len(sorts) or sorts[row] != sorts[begin]:
            if (sort := sorts[begin]) is not None:
                yield Interval(times[begin], times[row - 1], sort)
            begin = row


def read_intervals(path: Path) -> list[Interval]:
    """TableError when the file is none of faults."""
    return list(_of_json(path) if path.suffix.lower() == ".json" else _of_csv(path))


def _of_csv(path: Path) -> Iterator[Interval]:
    _, header, cells = tables.grid(path)
    lower = [name.lower() for name in header]
    if "start" not in lower:
        raise TableError(f"no column start among {', '.join(header)}; expected start,end[,sensor]")
    columns = dict(zip(lower, zip(*cells, strict=True), strict=True)) if cells else {}
    begins = columns.get("start", ())
    starts = tables.parsed_times(list(begins), "start")
    texts = [end or begin for begin, end in zip(begins, columns.get("end", begins), strict=True)]
    ends = tables.parsed_times(texts, "end")
    streams, sorts = (_first(columns, names, len(cells)) for names in (STREAM_NAMES, SORT_NAMES))
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        where = f"row {row + 2}"
        yield _interval(start, end, sorts[row].strip(), streams[row].strip(), where)


def _first(columns: dict[str, tuple[str, ...]], names: Sequence[str], rows: int) -> tuple[str, ...]:
    return next((columns[name] for name in names if name in columns), ("",) * rows)


def _of_json(path: Path) -> Iterator[Interval]:
    try:
        known = json.loads(path.read_text())
    except ValueError as error:
        raise TableError(f"no JSON: {error}") from error
    if not isinstance(known, dict) or not all(isinstance(each, list) for each in known.values()):
        raise TableError('expected {"FILE": [["START", "END"], …], …}')
    for stream, each in known.items():
        for number, entry in enumerate(each, start=1):
            start, end = _ends_of(entry, f"{stream}, entry {number}")
            yield _interval(start, end, "", stream, f"{stream}, entry {number}")


def _ends_of(entry: Any, where: str) -> TimeArray:
    """A time alone is a moment."""
    pair = [entry, entry] if isinstance(entry, str) else entry
    if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(t, str) for t in pair)):
        raise TableError(f"{where}: {entry!r} is no time and no pair of times")
    return tables.parsed_times(pair, where)


def _interval(
    start: np.datetime64, end: np.datetime64, sort: str, stream: str, where: str
) -> Interval:
    if end < start:
        raise TableError(f"{where}: the fault ends at {end}, before it starts at {start}")
    return Interval(start, end, sort, stream, where)


def is_within(times: TimeArray, fault: Interval) -> bool:
    return len(times) > 0 and bool(fault.start <= times[-1] and times[0] <= fault.end)


def rows_of(times: TimeArray, fault: Interval) -> Rows:
    """First and last row of a fault within these times; of a silence, the row that ends it."""
    first = int(np.searchsorted(times, fault.start))
    last = int(np.searchsorted(times, fault.end, side="right")) - 1
    return first, max(last, first)

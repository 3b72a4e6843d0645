"""Readings whose faults are known, as they lie in a file or a folder. Pure, but for the files.

The faults are in a column of the readings, in a file beside them, or in one that is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalies import labels, tables
from anomalies.columnar import TableError
from anomalies.labels import Interval
from anomalies.tables import Table

FAULT_FILES = ("faults.csv", "windows.json", "combined_windows.json")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One stream: a sensor, or a machine whose sensors are judged together, and its faults in order
    and apart. name: of the file, of the sensor in it, or both."""

    name: str
    table: Table
    faults: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What to read.

    label: the column of labels, where it has a name of its own; faults: the file of faults, where
    it is not beside the readings; healthy: a file without labels had no fault.
    """

    path: Path
    label: str | None = None
    faults: Path | None = None
    healthy: bool = False

    def files(self) -> list[Path]:
        """TableError when there is none."""
        if self.path.is_file():
            return [self.path]
        if not self.path.is_dir():
            raise TableError(f"There is no file or folder {self.path}.")
        others = {self.fault_file()}
        found = [p for p in self.path.rglob("*") if p.name.lower().endswith(tables.SUFFIXES)]
        if not (found := sorted(set(found) - others)):
            raise TableError(
                f"There is no file of readings ({', '.join(tables.SUFFIXES)}) in {self.path}."
            )
        return found

    def fault_file(self) -> Path | None:
        if self.faults is not None:
            return self.faults
        beside = [self.path / name for name in FAULT_FILES] if self.path.is_dir() else []
        return next((path for path in beside if path.is_file()), None)


def read(source: Source, say: Callable[[str], object]) -> list[Labelled]:
    """All streams; TableError names what is wrong with each file that cannot be read, at once.

    say: is told, in sentences, what was odd and let pass.
    """
    files, wrong = source.files(), []
    streams: list[tuple[str, Table]] = []
    for path in files:
        try:
            streams += _streams(path, source, alone=len(files) == 1, say=say)
        except (TableError, OSError) as error:
            wrong.append(f"{path}: {error}")
    if wrong:
        raise TableError("\n".join(wrong))
    file = source.fault_file()
    by_stream = _told(file, [name for name, _ in streams]) if file else None
    found = []
    for name, table in streams:
        faults = _by_column(name, table, source, say) if by_stream is None else by_stream[name]
        if faults is not None:
            found.append(Labelled(name, table, tuple(_apart(name, table, faults, say))))
    if not any(each.faults for each in found):
        raise TableError(f"{source.path}: no fault is labelled in it; there is nothing to find.")
    return found


def _streams(
    path: Path, source: Source, *, alone: bool, say: Callable[[str], object]
) -> Iterator[tuple[str, Table]]:
    """By name: of the file below the folder, and of the sensor."""
    own = {source.label.lower()} if source.label else set()
    table = tables.read(path, answers=tables.ANSWERS | own)
    for doubt in table.doubts:
        say(f"{path}: {doubt}")
    within = path.name if alone else path.relative_to(source.path).as_posix()
    for sensor, part in tables.each_sensor(table):
        yield (sensor if alone else f"{within}: {sensor}") if sensor else within, part


def _by_column(
    name: str, table: Table, source: Source, say: Callable[[str], object]
) -> list[Interval] | None:
    lower = [column.lower() for column in table.header]
    wanted = (source.label.lower(),) if source.label else tables.LABELS
    at = next((lower.index(each) for each in wanted if each in lower), None)
    if at is not None:
        cells = [row[at] for row in table.cells]
        return list(labels.of_column(table.times, cells, f"{name}: {table.header[at]}"))
    if source.healthy:
        return []
    say(f"{name}: no column {' or '.join(wanted)}; left out (--healthy counts it as without fault)")
    return None


def _told(path: Path, names: Sequence[str]) -> dict[str, list[Interval]]:
    """The faults of each stream by a file of faults."""
    found: dict[str, list[Interval]] = {name: [] for name in names}
    try:
        for fault in labels.read_intervals(path):
            found[_whose(fault, names)].append(fault)
    except (TableError, OSError) as error:
        raise TableError(f"{path}: {error}") from error
    return found


def _whose(fault: Interval, names: Sequence[str]) -> str:
    if not fault.stream and len(names) == 1:
        return names[0]
    matching = [name for name in names if fault.stream and fault.stream in _called(name)]
    if len(matching) == 1:
        return matching[0]
    few = ", ".join([*names[:5], *(["…"] if len(names) > 5 else [])])
    if not fault.stream:
        raise TableError(f"{fault.where}: whose fault is it? name the sensor or the file: {few}")
    reason = "several streams are called" if matching else "no stream is called"
    raise TableError(f"{fault.where}: {reason} {fault.stream}; there are {few}")


def _called(name: str) -> set[str]:
    """What a fault's stream may be called: sensor, path, file, each without suffixes or not.

    >>> sorted(_called("deep/pump.csv.gz"))
    ['deep/pump', 'deep/pump.csv', 'deep/pump.csv.gz', 'pump', 'pump.csv', 'pump.csv.gz']
    """
    path, _, sensor = name.partition(": ")
    if sensor:
        return {name, sensor}
    plain = [path, path.removesuffix(".gz")]
    suffix = next((each for each in tables.SUFFIXES if path.lower().endswith(each)), "")
    plain.append(path[: len(path) - len(suffix)])
    return {*plain, *(each.rpartition("/")[2] for each in plain)}


def _apart(
    name: str, table: Table, faults: Sequence[Interval], say: Callable[[str], object]
) -> Iterator[Interval]:
    """In order; those that overlap are one, those outside of the readings are left out."""
    kept: list[Interval] = []
    for fault in sorted(faults, key=lambda each: each.start):
        if not labels.is_within(table.times, fault):
            say(f"{name}: the fault of {fault.start} lies outside of its readings; left out")
        elif kept and fault.start <= kept[-1].end:
            last = kept.pop()
            kept.append(Interval(last.start, max(last.end, fault.end), last.sort, last.stream))
        else:
            kept.append(fault)
    yield from kept

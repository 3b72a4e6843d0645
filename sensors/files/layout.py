"""Which columns of a file are readings: by name, with a sensor given, or one sensor a column. Pure.

A long file has a reading a row, a wide one a time and the values of several sensors. What is well
formed goes into columns at once; of the rest each row is looked at. A reading's place is its row's
in a long file, and row times columns plus column in a wide one, so that no two share a place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from sensors.files.clock import Clock
from sensors.formats import Batch, arrow, csv, objects, parquet
from sensors.formats.objects import Unreadable

_OPTIONAL = ("quality", "kind", "unit")


class LayoutError(ValueError):
    """The columns of a file are not those that were asked for."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a person says of a file.

    names: our field → the file's column, where they differ. sensor: the only sensor, where no
    column names it. is_wide: each of `columns` (all but the time when there are none) is a sensor
    called `prefix` and its name. missing: texts that stand for an empty cell; decimal: the mark in
    numbers, both in CSV.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    sensor: str = ""
    is_wide: bool = False
    columns: tuple[str, ...] = ()
    prefix: str = ""
    clock: Clock = field(default_factory=Clock)
    missing: tuple[str, ...] = ("",)
    decimal: str = "."

    def for_file(self, stem: str) -> Layout:
        """With the file's name without suffixes where `{stem}` stands."""
        return replace(
            self,
            sensor=self.sensor.replace("{stem}", stem),
            prefix=self.prefix.replace("{stem}", stem),
        )

    def column_of(self, name: str) -> str:
        return self.names.get(name, name)

    @property
    def is_plain(self) -> bool:
        """Whether the file's rows are readings as they stand."""
        return not (self.names or self.sensor or self.is_wide) and self.clock.is_plain

    def pick(self, there: Sequence[str]) -> Picked:
        """What is to be read of these columns. Raises LayoutError naming what is not there."""
        picked = self._pick(there)
        if self.is_wide and not picked.wide:
            raise LayoutError(f"no column beside {self.column_of('time')}")
        return picked

    def _pick(self, there: Sequence[str]) -> Picked:
        required = ["time"] if self.is_wide else ["time", "value"]
        if not (self.sensor or self.is_wide):
            required.insert(0, "sensor")
        optional = [] if self.is_wide else _OPTIONAL
        wanted = [*required, *(name for name in optional if name in self.names)]
        missing = [self.column_of(name) for name in wanted] + list(self.columns)
        missing = [name for name in missing if name not in there]
        if missing:
            raise LayoutError(f"no column {', '.join(missing)}; there are {', '.join(there)}")
        chosen = {name: self.column_of(name) for name in (*required, *optional)}
        chosen = {name: column for name, column in chosen.items() if column in there}
        if twice := [column for column in chosen.values() if f"{column} (2)" in there]:
            raise LayoutError(f"more than one column {', '.join(twice)}")
        others = self.columns or [name for name in there if name != chosen["time"]]
        return Picked(self, chosen, tuple(others) if self.is_wide else ())

    def pick_any(self, there: Sequence[str]) -> Picked:
        """As `pick` for objects, each of which may lack fields that others have."""
        named = ["time"] if self.is_wide else arrow.FIELDS.names
        possible = [*there, *(self.column_of(name) for name in named), *self.columns]
        return self._pick(list(dict.fromkeys(possible)))


@dataclass(frozen=True, slots=True)
class Picked:
    """A layout and the columns of one file. chosen: our field → column; wide: a sensor each."""

    layout: Layout
    chosen: Mapping[str, str]
    wide: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        return [*self.chosen.values(), *self.wide]

    @property
    def per_row(self) -> int:
        """Places that a row takes."""
        return max(len(self.wide), 1)

    @property
    def numeric(self) -> set[str]:
        return {self.chosen[name] for name in csv.NUMERIC if name in self.chosen} | {*self.wide}

    @property
    def csv_types(self) -> dict[str, pa.DataType]:
        named = {column: csv.TYPES[name] for name, column in self.chosen.items()}
        return named | dict.fromkeys(self.wide, pa.float64())

    def batch_of(
        self, columns: arrow.Columns | None, load: Callable[[], list[Any]]
    ) -> tuple[Batch, int]:
        """The readings and the number of rows they were.

        columns: the file's, by their names; None when they do not fit their types. load: the same
        rows as objects. Raises ClockError for a column of times that cannot be read as stated.
        """
        batch = None if columns is None else self._at_once(columns, load)
        if batch is not None and columns is not None:
            return batch, len(columns[self.chosen["time"]])
        rows = load()
        return self._row_by_row(rows), len(rows)

    # --- columns ----------------------------------------------------------------------------------

    def _at_once(self, columns: arrow.Columns, load: Callable[[], list[Any]]) -> Batch | None:
        named = {name: columns[column] for name, column in self.chosen.items()}
        times = self._times(named["time"])
        if times is None:
            return None
        named["time"] = times
        if self.wide:
            return self._melted(named["time"], [columns[name] for name in self.wide], load)
        if self.layout.sensor:
            codes = np.zeros(len(times), np.int32)
            named["sensor"] = pa.DictionaryArray.from_arrays(codes, [self.layout.sensor])
        typed = parquet.typed(named)
        original = arrow.later(lambda: [row for _, row in self._readings(load())])
        return None if typed is None else arrow.batch_of(typed, original)

    def _times(self, column: pa.Array) -> pa.Array | None:
        clock = self.layout.clock
        if clock.is_plain and not pa.types.is_timestamp(column.type):
            return column
        times = clock.read(column)
        return None if np.isnat(times).any() else pa.array(times, pa.timestamp("us", "UTC"))

    def _melted(
        self, times: pa.Array, columns: list[pa.Array], load: Callable[[], list[Any]]
    ) -> Batch | None:
        """One reading for each cell that is not empty, row by row."""
        typed = [parquet.typed({"value": column}) for column in columns]
        values = [found["value"] for found in typed if found is not None]
        if len(values) < len(columns):
            return None
        is_there = np.column_stack([np.asarray(column.is_valid()) for column in values])
        numbers = np.column_stack([column.to_numpy(zero_copy_only=False) for column in values])
        places = np.flatnonzero(is_there)
        row, which = np.divmod(places, self.per_row)
        names = [self._sensor_of(name) for name in self.wide]
        batch = arrow.batch_of(
            {
                "sensor": pa.DictionaryArray.from_arrays(which.astype(np.int32), names),
                "time": times.take(pa.array(row)),
                "value": pa.array(numbers.ravel()[places]),
            },
            _by_place(lambda: dict(self._readings(load()))),
        )
        return batch and replace(batch, index=places)

    def _sensor_of(self, column: str) -> str:
        return f"{self.layout.prefix}{column}"

    # --- rows -------------------------------------------------------------------------------------

    def _row_by_row(self, rows: list[Any]) -> Batch:
        placed = list(self._readings(rows))
        batch = objects.batch_of([row for _, row in placed])
        places = np.array([place for place, _ in placed], np.int64)
        rejected = tuple(replace(one, index=int(places[one.index])) for one in batch.rejected)
        return replace(
            batch,
            index=places[batch.index],
            rejected=rejected,
            original=_by_place(lambda: dict(placed)),
        )

    def _readings(self, rows: list[Any]) -> Iterator[tuple[int, Any]]:
        """Place and reading, or Unreadable, for what is in the rows."""
        for place, row in enumerate(self._timed(rows)):
            if not self.layout.is_wide:
                yield place, self._renamed(row)
            elif isinstance(row, dict):
                yield from self._melted_row(place, row)
            else:
                yield place * self.per_row, row

    def _melted_row(self, place: int, row: dict[str, Any]) -> Iterator[tuple[int, Any]]:
        time = self.chosen["time"]
        for at, name in enumerate(self.wide, place * self.per_row):
            if name in row:
                reading = {"sensor": self._sensor_of(name), "value": row[name]}
                if time in row:
                    reading["time"] = row[time]
                yield at, _placed_problem(reading)

    def _renamed(self, row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        taken = {*self.chosen.values(), *self.chosen}
        reading = {name: value for name, value in row.items() if name not in taken}
        reading |= {name: row[of] for name, of in self.chosen.items() if of in row}
        if self.layout.sensor:
            reading["sensor"] = self.layout.sensor
        return _placed_problem(reading)

    def _timed(self, rows: list[Any]) -> list[Any]:
        """The rows with their times as the rules want them, or what is wrong with the time."""
        clock, column = self.layout.clock, self.chosen["time"]
        if clock.is_plain:
            return rows
        raw = [row.get(column) if isinstance(row, dict) else None for row in rows]
        texts = [clock.text_of(time) for time in raw]
        times = clock.read(pa.array(texts, pa.string()))
        return [
            {**row, column: _Problem(time, *clock.why(text)) if is_none else f"{moment}Z"}
            if isinstance(row, dict) and column in row
            else row
            for row, time, text, moment, is_none in zip(
                rows, raw, texts, times, np.isnat(times).tolist(), strict=True
            )
        ]


@dataclass(frozen=True, slots=True)
class _Problem:
    """A time that could not be read, and why."""

    raw: Any
    code: str
    detail: str


def _placed_problem(reading: dict[str, Any]) -> Any:
    time = reading.get("time")
    if not isinstance(time, _Problem):
        return reading
    return Unreadable(time.code, time.detail, {**reading, "time": time.raw})


def _by_place(load: Callable[[], dict[int, Any]]) -> Callable[[int], Any]:
    held: dict[int, Any] = {}

    def original(place: int) -> Any:
        if not held:
            held.update(load())
        return held[place]

    return original

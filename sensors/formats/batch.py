"""Readings as columns, and what is said of a document that holds none. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sensors.rows import Rejection
from sensors.series import FloatArray, TimeArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MAX_READINGS = 50_000


class FormatError(ValueError):
    """The document as a whole cannot be read.

    position: byte or character of the fault, from 0; line: its line, from 1; None where that says
    nothing.
    """

    def __init__(
        self, code: str, message: str, position: int | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.position = position
        self.line = line


class TooManyReadings(FormatError):
    def __init__(self, limit: int) -> None:
        super().__init__("too_many_readings", f"a call takes at most {limit} readings")


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of few distinct texts. `codes`, shape (n,): place of the row's name, -1 for none."""

    names: tuple[str, ...]
    codes: IntArray

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> Self:
        """
        >>> Coded.of(["a", None, "b", "a"])
        Coded(names=('a', 'b'), codes=array([ 0, -1,  1,  0]))
        """
        names = tuple(text for text in dict.fromkeys(texts) if text is not None)
        places: dict[str | None, int] = {name: place for place, name in enumerate(names)}
        places[None] = -1
        return cls(names, np.fromiter(map(places.__getitem__, texts), np.int64, count=len(texts)))

    @classmethod
    def empty(cls, n: int) -> Self:
        return cls((), np.full(n, -1, dtype=np.int64))

    def of_row(self, row: int) -> str | None:
        code = self.codes[row]
        return self.names[code] if code >= 0 else None


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings as columns of shape (n,), in the order they came; `rejected` is what is none.

    times: datetime64[us], UTC; values: in the stated unit; quality: as reported, NaN where not.
    index: place of each reading in the document. original(i): row i of the document.
    """

    sensor: Coded
    times: TimeArray
    values: FloatArray
    quality: FloatArray
    kind: Coded
    unit: Coded
    index: IntArray
    rejected: tuple[Rejection, ...] = ()
    original: Callable[[int], Any] | None = None

    @classmethod
    def of(
        cls,
        sensors: Sequence[str],
        times: TimeArray,
        values: FloatArray,
        *,
        kinds: Sequence[str | None] | None = None,
        units: Sequence[str | None] | None = None,
    ) -> Self:
        """A batch from columns whose content is known to be good, such as generated readings."""
        n = len(sensors)
        return cls(
            sensor=Coded.of(sensors),
            times=times.astype("datetime64[us]"),
            values=np.asarray(values, dtype=np.float64),
            quality=np.full(n, np.nan),
            kind=Coded.of(kinds) if kinds is not None else Coded.empty(n),
            unit=Coded.of(units) if units is not None else Coded.empty(n),
            index=np.arange(n),
        )

    def __len__(self) -> int:
        """Rows of the document, rejected ones included."""
        return len(self.times) + len(self.rejected)

    def payload(self, row: int) -> str:
        """Reading `row` (a place in the columns) as it came, in ASCII JSON."""
        if self.original is not None:
            return ascii_json(self.original(int(self.index[row])))
        fields = {
            "sensor": self.sensor.of_row(row),
            "time": f"{self.times[row]}Z",
            "value": float(self.values[row]),
            "kind": self.kind.of_row(row),
            "unit": self.unit.of_row(row),
        }
        return ascii_json({name: field for name, field in fields.items() if field is not None})


def ascii_json(row: object) -> str:
    """JSON that holds whatever a row held: NaN, NUL and lone surrogates included."""
    return json.dumps(row, ensure_ascii=True, separators=(",", ":"))

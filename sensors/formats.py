"""What devices send, as columns: bytes → `Batch`. Pure.

Well-formed rows become columns with no work per row beyond list comprehensions. When any row is
not well-formed every row is looked at, and exactly the bad ones are set aside with a reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from sensors import iso8601
from sensors.rows import Rejection, Row, RowError, column_problem, read_row, sensor_ref
from sensors.series import FloatArray, TimeArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MAX_READINGS = 50_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A reading has at most this many brackets, braces and commas; a document with more cannot be one,
# and parsing it could take thirty times its size in memory.
_MAX_MARKS_PER_READING = 32
_SMALL_BYTES = 5 * 2**20


class FormatError(ValueError):
    """The document as a whole cannot be read. `position`: byte or character of the fault."""

    def __init__(self, code: str, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.position = position


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


def from_json(body: bytes, *, max_readings: int = MAX_READINGS) -> Batch:
    """An array of readings, or {"readings": […]}. Of a key given twice the last one counts.

    Raises FormatError when the document is not that; a bad row only rejects itself.
    """
    rows = _rows_of(_document(body, max_readings))
    if len(rows) > max_readings:
        raise TooManyReadings(max_readings)
    return _columns(rows) or _row_by_row(rows)


def _document(body: bytes, max_readings: int) -> Any:
    if len(body) > _SMALL_BYTES:
        marks = body.count(b"{") + body.count(b"[") + body.count(b",")
        if marks > _MAX_MARKS_PER_READING * max_readings:
            raise TooManyReadings(max_readings)
    body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # NaN, Infinity, 1e999 and lone surrogates are no JSON but harm one row only.
        return _lenient_document(body)


def _lenient_document(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise FormatError("not_utf8", "the body is not UTF-8", error.start) from error
    except json.JSONDecodeError as error:
        raise FormatError("json_invalid", error.msg, error.pos) from error
    except RecursionError as error:
        raise FormatError("json_too_deep", "the JSON is nested too deeply") from error


def _integer(digits: str) -> float:
    """As int() where a float can hold it; a longer one takes int() quadratic time."""
    return int(digits) if len(digits) < 300 else float(digits)


def _rows_of(document: Any) -> list[Any]:
    rows = document.get("readings") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise FormatError(
            "not_a_batch", 'the body must be an array of readings or {"readings": [...]}'
        )
    return rows


def _columns(rows: list[Any]) -> Batch | None:
    """All rows as columns, or None when at least one of them is not well-formed."""
    try:
        sensors = [row["sensor"] for row in rows]
        texts = [row["time"] for row in rows]
        numbers = [row["value"] for row in rows]
    except (KeyError, TypeError, IndexError):
        return None
    optional: dict[str, list[Any] | None] = dict.fromkeys(("quality", "kind", "unit"))
    if max(map(len, rows), default=0) > 3:
        optional = {name: [row.get(name) for row in rows] for name in optional}
    if column_problem(sensors, texts, numbers, **optional):
        return None
    times = iso8601.parse_column(texts)
    if times is None:
        return None
    return _batch(rows, np.arange(len(rows)), sensors, times, numbers, optional)


def _row_by_row(rows: list[Any]) -> Batch:
    read = [_read_or_reject(place, row) for place, row in enumerate(rows)]
    is_good = [isinstance(row, Row) for row in read]
    good: list[Row] = list(compress(read, is_good))  # type: ignore[arg-type]
    bad: list[Rejection] = list(compress(read, [not is_row for is_row in is_good]))  # type: ignore[arg-type]
    return _batch(
        rows,
        np.flatnonzero(is_good),
        [row.sensor for row in good],
        np.array([row.time for row in good], dtype="datetime64[us]"),
        [row.value for row in good],
        {
            "quality": [row.quality for row in good],
            "kind": [row.kind for row in good],
            "unit": [row.unit for row in good],
        },
        tuple(bad),
    )


def _read_or_reject(place: int, row: Any) -> Row | Rejection:
    try:
        return read_row(row)
    except RowError as error:
        return Rejection(
            place, "validation", error.code, str(error), sensor_ref(row), ascii_json(row)
        )


def _batch(
    rows: list[Any],
    index: IntArray,
    sensors: list[str],
    times: TimeArray,
    numbers: list[float],
    optional: dict[str, list[Any] | None],
    rejected: tuple[Rejection, ...] = (),
) -> Batch:
    n = len(sensors)
    quality, kinds, units = optional["quality"], optional["kind"], optional["unit"]
    return Batch(
        sensor=Coded.of(sensors),
        times=times,
        values=np.array(numbers, dtype=np.float64),
        # None becomes NaN: not reported.
        quality=np.array(quality, dtype=np.float64) if quality else np.full(n, np.nan),
        kind=Coded.of([kind and kind.lower() for kind in kinds]) if kinds else Coded.empty(n),
        unit=Coded.of(units) if units else Coded.empty(n),
        index=index,
        rejected=rejected,
        original=rows.__getitem__,
    )

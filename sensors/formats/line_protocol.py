"""InfluxDB line protocol → `Batch`: every number and boolean of a line is a reading. Pure.

String fields are no readings: they are counted and left out. Times are cut to the microsecond, so
-1 ns is -1 µs. Integers past 2**53 become the nearest float64. A field named twice in a line is
two readings of one sensor at one time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np

from sensors import iso8601
from sensors.formats.batch import (
    MAX_READINGS,
    Batch,
    BoolArray,
    Coded,
    IntArray,
    TooManyReadings,
    ascii_json,
)
from sensors.formats.line_columns import Lines, Plain, read_plain
from sensors.formats.line_grammar import LineError, Point, line_end, read_point
from sensors.formats.line_sensors import NANOSECONDS, Dialect, Sensors
from sensors.formats.line_template import Series, Template
from sensors.rows import MAX_VALUE, Rejection, RowError, sensor_ref
from sensors.series import FloatArray

_EARLIEST = int(iso8601.EARLIEST.astype(np.int64))
_LATEST = int(iso8601.LATEST.astype(np.int64))
# So much of a document is looked at together: enough for columns to be worth it, and a bound on the
# memory that the places of its marks take.
_BLOCK_BYTES = 2**20
_MAX_SHOWN = 100


@dataclass(frozen=True, slots=True)
class LineBatch:
    """batch.index numbers readings and refused lines; lines[index]: in which line, from 1.

    strings: how many string fields were left out.
    """

    batch: Batch
    lines: IntArray
    strings: int


def from_line_protocol(
    body: bytes, dialect: Dialect, *, now: np.datetime64, max_readings: int = MAX_READINGS
) -> LineBatch:
    """`now`: the time, datetime64[us] in UTC, of lines that state none.

    Raises TooManyReadings for more readings, or more lines that are neither blank nor comments.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n").removesuffix(b"\r")
    document = _Document(body, dialect, int(now.astype(np.int64)), max_readings)
    while document.at < len(body):
        document.read_block()
    return document.as_batch()


@dataclass(slots=True)
class _Rows:
    """Readings and the lines they stand in, shape (n,), by column; times in µs."""

    sensor: list[IntArray] = field(default_factory=list)
    times: list[IntArray] = field(default_factory=list)
    values: list[FloatArray] = field(default_factory=list)
    lines: list[IntArray] = field(default_factory=list)

    def add(self, sensor: IntArray, times: IntArray, values: FloatArray, lines: IntArray) -> None:
        self.sensor.append(sensor)
        self.times.append(times)
        self.values.append(values)
        self.lines.append(lines)

    @property
    def count(self) -> int:
        return sum(map(len, self.lines))

    def columns(self) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
        """In the order of the document."""
        lines = np.concatenate([np.zeros(0, np.int64), *self.lines])
        order = np.argsort(lines, kind="stable")
        sensor = np.concatenate([np.zeros(0, np.int64), *self.sensor])
        times = np.concatenate([np.zeros(0, np.int64), *self.times])
        values = np.concatenate([np.zeros(0), *self.values])
        return sensor[order], times[order], values[order], lines[order]


class _Document:
    """A body on its way into columns: read up to `at`, where line number `line` begins."""

    def __init__(self, body: bytes, dialect: Dialect, now: int, max_readings: int) -> None:
        self.body = body
        self.at, self.line = 0, 1
        self._dialect, self._now, self._max = dialect, now, max_readings
        self._sensors = Sensors(dialect)
        self._rows = _Rows()
        self._single: list[tuple[int, int, float, int]] = []
        self._refused: list[tuple[int, Rejection]] = []
        self._lines = self._strings = 0

    def read_block(self) -> None:
        """The next lines: plain ones together, the others one by one."""
        start, stop = self.at, self._block_end()
        if stop is None:
            stop = self._read_line(start, self.line)
            self._count(lines=1)
        else:
            lines = Lines.of(self.body[start:stop])
            wanted = lines.is_filled & ~lines.is_comment
            stop = max(stop, self._read_odd(lines, wanted))
            self._count(lines=int(wanted.sum()))
            self._read_one_by_one(lines, wanted & ~lines.is_odd & ~self._read_plain(lines, wanted))
        self._add_single()
        self._count()
        self.line += self.body.count(b"\n", start, stop)
        self.at = stop

    def as_batch(self) -> LineBatch:
        sensor, times, values, lines = self._rows.columns()
        n = len(sensor)
        self._refused.sort(key=lambda refused: refused[0])
        rejected = tuple(
            Rejection(n + i, "validation", one.code, one.detail, one.sensor, one.payload)
            for i, (_, one) in enumerate(self._refused)
        )
        batch = Batch(
            sensor=_in_use(Coded(tuple(self._sensors.names), sensor)),
            times=times.astype("datetime64[us]"),
            values=values,
            quality=np.full(n, np.nan),
            kind=Coded.empty(n),
            unit=Coded.empty(n),
            index=np.arange(n),
            rejected=rejected,
        )
        of_refused = np.array([line for line, _ in self._refused], np.int64)
        return LineBatch(batch, np.concatenate([lines, of_refused]), self._strings)

    def _block_end(self) -> int | None:
        """Where the block that begins at `at` ends: after a line. None: its line is too long."""
        if len(self.body) - self.at <= _BLOCK_BYTES:
            return len(self.body)
        return self.body.rfind(b"\n", self.at, self.at + _BLOCK_BYTES) + 1 or None

    def _count(self, lines: int = 0) -> None:
        self._lines += lines
        if max(self._lines, self._rows.count + len(self._refused)) > self._max:
            raise TooManyReadings(self._max)

    def _read_odd(self, lines: Lines, wanted: BoolArray) -> int:
        """Lines that are not plain. Strikes those inside of strings out of `wanted`.

        Returns where the last one ends, which may be past the block.
        """
        end = self.at
        for row in np.flatnonzero(lines.is_odd & wanted).tolist():
            begin = self.at + int(lines.starts[row])
            if begin >= end:
                end = self._read_line(begin, self.line + row)
                inside = np.searchsorted(lines.starts, end - self.at)
                wanted[row + 1 : inside] = False
        return end

    def _read_plain(self, lines: Lines, wanted: BoolArray) -> BoolArray:
        """Which of the lines were plain and are now among the readings."""
        plain = read_plain(lines, wanted)
        codes = self._sensors.codes(plain)
        times, is_good = self._microseconds(plain)
        is_good &= codes >= 0
        if not self._dialect.template.names_the_field:
            is_good &= np.bincount(plain.line, minlength=len(wanted))[plain.line] == 1
        done = np.zeros(len(wanted), bool)
        done[plain.line] = True
        done[plain.line[~is_good]] = False
        kept = done[plain.line]
        self._rows.add(codes[kept], times[kept], plain.values[kept], self.line + plain.line[kept])
        return done

    def _microseconds(self, plain: Plain) -> tuple[IntArray, BoolArray]:
        """Times in µs, and whether they lie in the years that are accepted."""
        unit = NANOSECONDS[self._dialect.unit]
        times = plain.times
        if unit < 1000:
            times = times * unit // 1000
            is_good = (times >= _EARLIEST) & (times <= _LATEST)
        else:
            factor = unit // 1000
            is_good = (times >= -(-_EARLIEST // factor)) & (times <= _LATEST // factor)
            times = np.where(is_good, times, 0) * factor
        return np.where(plain.has_time, times, self._now), is_good | ~plain.has_time

    def _add_single(self) -> None:
        """Put the readings that were read one by one among the others."""
        if self._single:
            sensor, times, values, lines = map(np.array, zip(*self._single, strict=True))
            self._rows.add(sensor, times, values, lines)
            self._single.clear()

    def _read_one_by_one(self, lines: Lines, wanted: BoolArray) -> None:
        for row in np.flatnonzero(wanted).tolist():
            self._read_line(self.at + int(lines.starts[row]), self.line + row)

    def _read_line(self, begin: int, line: int) -> int:
        """Where the next line begins."""
        try:
            point = read_point(self.body, begin, max_fields=self._max)
        except LineError as error:
            end = line_end(self.body, error.at)
            self._refuse(line, "line_invalid", str(error), begin, end)
            return end
        if isinstance(point, int):
            return point
        problem = self._take(point, line)
        if problem is not None:
            is_timed = point.time is not None
            self._refuse(line, problem.code, str(problem), begin, point.end, is_timed=is_timed)
        return point.end

    def _take(self, point: Point, line: int) -> RowError | None:
        """The readings of a line; or what is wrong with all of it."""
        time = self._now
        if point.time is not None:
            time = point.time * NANOSECONDS[self._dialect.unit] // 1000
            if not _EARLIEST <= time <= _LATEST:
                return RowError("time_invalid", "time is before 1900 or after 9999")
        self._strings += point.strings
        if len(point.fields) > 1 and not self._dialect.template.names_the_field:
            detail = "the key's template has no {field}, and the line has several"
            return RowError("fields_ambiguous", detail)
        codes = [self._sensors.code(point.series, name) for name, _ in point.fields]
        missing = (c for c in codes if isinstance(c, RowError) and c.code == "tag_missing")
        if problem := next(missing, None):
            return problem
        for code, (name, value) in zip(codes, point.fields, strict=True):
            self._take_reading(code, point.series, name, time, value, line)
        return None

    def _take_reading(
        self, code: int | RowError, series: Series, name: str, time: int, value: float, line: int
    ) -> None:
        if isinstance(code, int) and abs(value) > MAX_VALUE:
            code = RowError("value_out_of_range", f"value must lie within ±{MAX_VALUE:g}")
        if isinstance(code, int):
            self._single.append((code, time, value, line))
            return
        sensor = self._dialect.template.sensor(series, name, self._dialect.bucket)
        row = {"sensor": sensor, "time": f"{np.datetime64(time, 'us')}Z", "value": value}
        refused = Rejection(0, "validation", code.code, str(code), sensor_ref(row), ascii_json(row))
        self._refused.append((line, refused))

    def _refuse(
        self, line: int, code: str, why: str, begin: int, end: int, *, is_timed: bool = True
    ) -> None:
        text = self.body[begin:end].removesuffix(b"\n").decode("utf-8", "surrogateescape")
        kept = {"line": text, "precision": self._dialect.unit, "bucket": self._dialect.bucket}
        if not is_timed:
            kept["received"] = f"{np.datetime64(self._now, 'us')}Z"
        payload = ascii_json({name: said for name, said in kept.items() if said})
        detail = f"unable to parse {_shown(text)}: {why}"
        self._refused.append((line, Rejection(0, "validation", code, detail, "", payload)))


def read_again(kept: Mapping[str, Any], template: Template) -> list[dict[str, Any]]:
    """The readings of a refused line, in the form of JSON's, by another template than it met.

    kept: its payload. Empty when there are still none.
    """
    text, unit, bucket = (str(kept.get(name, "")) for name in ("line", "precision", "bucket"))
    dialect = Dialect(template, unit if unit in NANOSECONDS else "ns", bucket)
    now = iso8601.parse(str(kept.get("received", iso8601.EXAMPLE)))
    batch = from_line_protocol(text.encode("utf-8", "surrogateescape"), dialect, now=now).batch
    if batch.rejected:
        return []
    return [json.loads(batch.payload(row)) for row in range(len(batch.times))]


def _in_use(sensors: Coded) -> Coded:
    """Without the names of which every reading was refused: no sensor is discovered for them."""
    is_used = np.bincount(sensors.codes, minlength=len(sensors.names)) > 0
    if is_used.all():
        return sensors
    names = tuple(compress(sensors.names, is_used))
    return Coded(names, (np.cumsum(is_used) - 1)[sensors.codes])


def _shown(text: str) -> str:
    """In quotes, cut to a length that fits into a sentence, in characters that can be stored."""
    cut = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in f"'{cut}'")
